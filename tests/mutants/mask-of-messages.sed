# src/ioctl/ioctl_vfio.c: MSI can be masked
s/return wired;/return true;/; s/return wired \&\& /return /
