#!/bin/busybox sh
# The machine's first process: loads the modules, puts a layer of memory over the host's file tree,
# and runs one test there. Whatever happens, the machine ends.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules/order); do
	$b insmod "/modules/$module" || echo "no $module"
done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host
$b mount -t tmpfs up /up
$b mkdir /up/upper /up/work
$b mount -t overlay -o lowerdir=/host,upperdir=/up/upper,workdir=/up/work layer /new
for tree in proc sys dev; do $b mount --move /$tree /new/$tree; done
$b mount -t tmpfs run /new/run
$b ip link set lo up
echo "machine: up"
$b chroot /new /usr/bin/env @INSIDE@=1 PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root RUST_BACKTRACE=0 \
	/bin/sh -c 'cd "@HERE@" && "@PROGRAM@" --ignored --exact --nocapture "@TEST@" 2>&1'
echo o >/new/proc/sysrq-trigger
$b sleep 60
