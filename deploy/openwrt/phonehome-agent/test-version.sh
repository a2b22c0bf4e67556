#!/bin/sh
# Does the program say the version the package has?

case "$1" in
phonehome-agent)
	phonehome-agent --version | grep -qx "phonehome-agent $2"
	;;
*)
	exit 1
	;;
esac
