# SPDX-License-Identifier: MIT
# usage: view.sh FUNCTION    prints what there is to see of a function in group 0
cd "/sys/bus/pci/devices/$1" || exit
for file in $(find . vfio-dev/* -maxdepth 1 -type f | sort -u); do
	case $file in
	*/config) echo "$file: $(od -A n -t x2 -N 8 config | xargs), $(wc -c <config) bytes" ;;
	*/reset) echo "$file: $(stat -c %a "$file")" ;;
	*/resource0) echo "$file: $(stat -c '%a %s' "$file") bytes" ;;
	*/local_cpulist) cmp "$file" /sys/devices/system/cpu/online ;;
	*) echo "$file: $(paste -s -d , "$file")" ;;
	esac
done
for link in $(find . -type l | sort); do
	echo "$link -> $(readlink "$link"), $(realpath "$link")"
done
cd /sys/bus/pci/drivers/vfio-pci && pwd && ls
ls /sys/bus/pci/devices /sys/class/vfio /sys/class/vfio-dev /sys/kernel/iommu_groups /dev/vfio/*
for link in /sys/class/vfio-dev/* /sys/kernel/iommu_groups/*/devices/* /sys/class/iommu/*/devices/*; do
	echo "$link -> $(realpath "$link")"
done
head /sys/class/vfio/0/dev /sys/kernel/iommu_groups/0/{type,reserved_regions} /sys/module/vfio/parameters/*
