//! A virtual machine for what the kernel at hand may lack: flow tables, VLANs, netem.
//!
//! Takes the name of a test of this binary and its body. Outside, it boots a machine that runs
//! exactly this test; inside, it runs the body. The machine has Debian's kernel (unpacked in the
//! folder that `PHONEHOME_KERNEL` names, else `target/kernel`), processors made by translation, the
//! host's file tree read-only beneath a layer of memory, and no network card: nothing in it can reach
//! anything outside. Its time passes as everybody's, or leaps over what nobody does anything in.

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set inside the machine.
const INSIDE: &str = "PHONEHOME_MACHINE";
/// Where the kernel's package was unpacked.
const KERNEL: &str = "PHONEHOME_KERNEL";
/// Everything takes so long at most; a machine that hangs is stopped.
const SECONDS_MAX: u32 = 900;
const MEMORY_MIB: u32 = 1_536;
/// What the body of a test inside says when it has done all it should: were its name misspelt no test
/// would run there, and none fail.
const DONE: &str = "machine: done";

/// The kernel's modules the laboratory needs, in any order; what they need comes with them.
const MODULES: &[&str] = &[
    "virtio_pci",
    "9p",
    "9pnet_virtio",
    "overlay",
    "veth",
    "bridge",
    "8021q",
    "tun",
    "nf_tables",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "nft_chain_nat",
    "nft_masq",
    "nft_nat",
    "nft_redir",
    "nft_ct",
    "nft_flow_offload",
    "nf_flow_table_inet",
    "sch_netem",
];

/// How time passes in a machine.
#[derive(Clone, Copy, Debug)]
enum Time {
    /// As outside, with two processors.
    Steady,
    /// From this moment on, RFC 3339 without its zone, which is UTC. An instruction takes a nanosecond
    /// and waiting takes none outside, so that hours in which little happens are over in seconds. Every
    /// clock and timer of the machine agrees on it.
    Leaping { from: &'static str },
}

/// Runs `body` inside a machine of its own: the test `name`, as the test harness calls it.
pub(crate) fn inside(name: &str, body: impl FnOnce() -> Result<()>) -> Result<()> {
    inside_of(name, Time::Steady, body)
}

/// The same in a machine whose clock is set to `from` when it starts, RFC 3339 without its zone, which is
/// UTC, and where hours of waiting are over in seconds.
pub(crate) fn inside_from(
    name: &str,
    from: &'static str,
    body: impl FnOnce() -> Result<()>,
) -> Result<()> {
    inside_of(name, Time::Leaping { from }, body)
}

fn inside_of(name: &str, time: Time, body: impl FnOnce() -> Result<()>) -> Result<()> {
    if std::env::var_os(INSIDE).is_some() {
        body()?;
        // On a line of its own, whatever the harness has begun to say.
        println!("\n{DONE}");
        return Ok(());
    }
    let said = boot(name, time)?;
    ensure!(
        said.lines().any(|line| line.trim() == DONE),
        "{name} in the machine:\n{said}"
    );
    println!("{said}");
    Ok(())
}

/// Boots a machine that runs one test, and gives what it wrote to its console.
fn boot(name: &str, time: Time) -> Result<String> {
    let kernel = kernel()?;
    let folder = tempfile::tempdir()?;
    let initramfs = initramfs(&kernel, folder.path(), name)?;
    let machine = Command::new("timeout")
        .arg(SECONDS_MAX.to_string())
        .args(["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max"])
        .args(time.arguments())
        .args(["-m", &MEMORY_MIB.to_string()])
        .args(["-nographic", "-no-reboot", "-nic", "none"])
        .arg("-kernel")
        .arg(only(&kernel.join("boot"), "vmlinuz-")?)
        .arg("-initrd")
        .arg(initramfs)
        // On a busy host a translated timer may come too late for the kernel's own check of it.
        .args(["-append", "console=ttyS0 quiet panic=-1 no_timer_check"])
        .arg("-virtfs")
        .arg("local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap")
        .stdin(Stdio::null())
        .output()
        .context("qemu-system-x86_64 does not start")?;
    let mut said = String::from_utf8_lossy(&machine.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&machine.stderr));
    // What comes before is the firmware's.
    let begin = said.find("machine: up").unwrap_or(0);
    Ok(said.split_off(begin))
}

impl Time {
    /// What makes it pass so, in words for qemu.
    fn arguments(self) -> Vec<String> {
        let words = match self {
            Self::Steady => "-smp 2".to_owned(),
            // Several processors would keep each other from sleeping.
            Self::Leaping { from } => {
                format!("-smp 1 -icount shift=0,sleep=off -rtc base={from},clock=vm")
            }
        };
        words.split(' ').map(str::to_owned).collect()
    }
}

/// Where Debian's kernel package was unpacked.
fn kernel() -> Result<PathBuf> {
    let folder = std::env::var_os(KERNEL).map_or_else(
        || phonehome_tests::golden::root().join("target/kernel"),
        PathBuf::from,
    );
    ensure!(
        folder.join("boot").is_dir(),
        "no kernel is unpacked in {}; `apt-get download linux-image-VERSION-amd64` and \
         `dpkg-deb -x` put one there",
        folder.display()
    );
    Ok(folder)
}

/// The first file tree: busybox, the modules, and the script that starts everything.
fn initramfs(kernel: &Path, folder: &Path, test: &str) -> Result<PathBuf> {
    let tree = folder.join("tree");
    for name in ["bin", "dev", "proc", "sys", "host", "new", "up", "modules"] {
        fs::create_dir_all(tree.join(name))?;
    }
    fs::copy("/bin/busybox", tree.join("bin/busybox"))
        .context("the package busybox-static is not installed")?;
    let mut order = String::new();
    for module in modules(kernel)? {
        let name = module.file_name().context("a module has a name")?;
        fs::copy(&module, tree.join("modules").join(name))?;
        order += &format!("{}\n", name.to_string_lossy());
    }
    fs::write(tree.join("modules/order"), order)?;
    let program = std::env::current_exe()?;
    let here = std::env::current_dir()?;
    let script = include_str!("machine/init.sh")
        .replace("@INSIDE@", INSIDE)
        .replace("@HERE@", &here.to_string_lossy())
        .replace("@PROGRAM@", &program.to_string_lossy())
        .replace("@TEST@", test);
    fs::write(tree.join("init"), script)?;
    let packed = folder.join("initramfs");
    let pack = format!(
        "chmod +x init && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 > {}",
        packed.display()
    );
    let done = Command::new("sh")
        .args(["-c", &pack])
        .current_dir(&tree)
        .status()?;
    ensure!(done.success(), "the first file tree cannot be packed");
    Ok(packed)
}

/// The module files, each after those it needs.
fn modules(kernel: &Path) -> Result<Vec<PathBuf>> {
    let version = only(&kernel.join("lib/modules"), "")?;
    let version = version.file_name().context("modules have a version")?;
    run(Command::new("depmod").arg("-b").arg(kernel).arg(version))?;
    let mut files = Vec::new();
    for module in MODULES {
        let shown = run(Command::new("modprobe")
            .arg("-d")
            .arg(kernel)
            .arg("-S")
            .arg(version)
            .args(["--show-depends", module]))?;
        for line in shown.lines() {
            if let Some(path) = line.strip_prefix("insmod ") {
                let path = PathBuf::from(path.trim());
                if !files.contains(&path) {
                    files.push(path);
                }
            }
        }
    }
    ensure!(!files.is_empty(), "the kernel has no modules");
    Ok(files)
}

/// The one entry of a folder that begins so.
fn only(folder: &Path, prefix: &str) -> Result<PathBuf> {
    let entry = fs::read_dir(folder)?
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    Ok(entry
        .with_context(|| format!("{} holds no {prefix}*", folder.display()))?
        .path())
}

fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .env("PATH", path())
        .output()
        .with_context(|| format!("{name} does not start"))?;
    ensure!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Debian keeps these tools where users do not look.
fn path() -> std::ffi::OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(OsStr::new(":/usr/sbin:/sbin"));
    path
}
