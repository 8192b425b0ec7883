# SPDX-License-Identifier: MIT
# Sourced by ways.sh: what goes wrong with a device's own file, and files that are handed over.

limited() { # KIB COMMAND...
	local kib=$1
	shift
	(ulimit -l "$kib" && as_user "$@")
}

file_of() { # BDF
	ls $sysfs/"$1"/vfio-dev
}

busy() {
	check hold hold "pci:$edu?via=cdev" 0 --stubborn
	refused busy "is bound to an iommufd already" edu "pci:$edu?via=cdev" 5
	check busy-errno fails "EINVAL: pci:$edu" vm-open "pci:$edu?via=cdev"
	check busy-step ends_at 19 "pci:$edu?via=cdev"
	refused busy-group "IOMMU group $(group $edu) is busy" edu "pci:$edu?via=group" 5
	kill $holder
	wait $holder
	check busy-retry drive "pci:$edu?via=cdev"
	check hold-group hold "pci:$edu?via=group" 0 --stubborn
	refused busy-cdev "process $holder (vm-hold)" edu "pci:$edu?via=cdev" 5
	kill $holder
	wait $holder
}

permission() {
	local file
	file=/dev/vfio/devices/$(file_of $edu)
	check no-access-errno fails "EACCES: pci:$edu" as_user vm-open "'pci:$edu?via=cdev'"
	check no-access-step exits 18 as_user lsvfio --check --open "'pci:$edu?via=cdev'"
	refused no-access "$file is " as_user edu "'pci:$edu?via=cdev'" 5
	check no-access-remedy follow_advice
	refused no-iommufd "/dev/iommu is " as_user edu "'pci:$edu?via=cdev'" 5
	check no-iommufd-remedy follow_advice
	check no-access-retry as_user edu "'pci:$edu?via=cdev'" 5
	refused memlock "ulimit -l" limited 4 edu "'pci:$edu?via=cdev'" 5
	limited 0 vm-open "'pci:$edu?via=cdev'" 2>/tmp/memlock
	check memlock-errno grep "^ENOMEM: .*ulimit -l" /tmp/memlock
	chown root "$file" /dev/iommu
}

# An fd that somebody else has opened, and is yet to be bound; an iommufd; something else.
handed_over() {
	local file
	file=/dev/vfio/devices/$(file_of $edu)
	check fd sh -c "exec 5<>$file; edu fd:5 $n $seed | diff /expect/edu -"
	check iommufd sh -c "exec 6<>/dev/iommu; edu 'pci:$edu?iommufd=6' $n $seed | diff /expect/edu -"
	check fd-and-iommufd sh -c "exec 5<>$file 6<>/dev/iommu; edu 'fd:5?iommufd=6' $n $seed |
		diff /expect/edu -"
	check fd-wrong-errno fails "ENOTTY: fd:5" sh -c "vm-open fd:5 5<>/dev/null"
	check iommufd-wrong-errno fails "ENOTTY: pci:$edu" sh -c "vm-open 'pci:$edu?iommufd=6' 6<>/dev/null"
	check fd-closed-errno fails "EBADF: fd:77" vm-open fd:77
	refused fd-wrong "is no device of VFIO but /dev/null" sh -c "edu fd:5 5 5<>/dev/null"
	refused iommufd-wrong "iommufd=6 is not an iommufd" sh -c "edu 'pci:$edu?iommufd=6' 5 6<>/dev/null"
	refused fd-closed "no file of this process has that number" edu fd:77 5
}

# The driver is unbound: the request interrupt asks for the device back.
asked_back() {
	check back-hold hold "pci:$edu?via=cdev" 0
	check back-unbind timeout 20 sh -c "echo $edu >/sys/bus/pci/drivers/vfio-pci/unbind"
	check back-asked held_until 0 "asked to give it back"
	refused back-gone "is bound to no driver" edu pci:$edu 5
	check back-gone-errno fails "ENODEV: pci:$edu" vm-open pci:$edu
	check back-gone-step ends_at 13 pci:$edu
	check back-bind bind $edu vfio-pci
	check back-retry drive "pci:$edu?via=cdev"
}

kept_away() { # BDF DRIVER
	! bind "$1" "$2" && same "" "$(driver "$1")"
}

# Another function of the group belongs to a driver of the host. While a device of a group is open,
# the kernel keeps such a driver from what else is in there.
not_viable() {
	local way
	bind $shared vfio-pci
	check not-viable-driver same nvme "$(driver $culprit)"
	for way in cdev group; do
		refused not-viable-$way "$culprit is in it, too, and is bound to nvme" \
			edu "pci:$shared?via=$way" 5
		check not-viable-$way-errno fails "EPERM: pci:$shared" vm-open "pci:$shared?via=$way"
		check not-viable-$way-step ends_at 14 "pci:$shared?via=$way"
	done
	check not-viable-remedy follow_advice
	for way in cdev group; do
		check not-viable-$way-retry drive "pci:$shared?via=$way"
		unbind $culprit
		check not-viable-$way-hold hold "pci:$shared?via=$way" 0 --stubborn
		check not-viable-$way-kept kept_away $culprit nvme
		kill $holder
		wait $holder
		check not-viable-$way-after bind $culprit nvme
		refused not-viable-$way-again "$culprit is in it, too" edu "pci:$shared?via=$way" 5
		unbind $culprit
	done
}

# A virtual function whose physical function another process drives: only who knows the token.
token() {
	local uuid=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 vf
	echo 1 >/sys/module/vfio_pci/parameters/enable_sriov
	check token-bind bind $pf vfio-pci
	check token-hold hold "pci:$pf?token=$uuid" 0 --stubborn
	check token-vf sh -c "echo 1 >$sysfs/$pf/sriov_numvfs"
	vf=$(basename "$(readlink $sysfs/$pf/virtfn0)")
	check token-vf-bind bind "$vf" vfio-pci
	for way in cdev group; do
		refused token-$way-missing "needs the VF token" lsvfio "pci:$vf?via=$way"
		check token-$way-errno fails "EACCES: pci:$vf" vm-open "pci:$vf?via=$way"
		check token-$way-step ends_at 20 "pci:$vf?via=$way"
		check token-$way-wrong-step ends_at 24 \
			"pci:$vf?via=$way,token=00000000-0000-0000-0000-000000000001"
		check token-$way-steps ends_at 0 "pci:$vf?via=$way,token=$uuid"
		refused token-$way-wrong "is not the one" \
			lsvfio "pci:$vf?via=$way,token=00000000-0000-0000-0000-000000000001"
		check token-$way lsvfio "pci:$vf?via=$way,token=$uuid"
		refused token-$way-needless "takes no VF token" lsvfio "pci:$edu?via=$way,token=$uuid"
	done
	kill $holder
	wait $holder
}

busy
permission
handed_over
asked_back
not_viable
token
