# src/ioctl/ioctl_2011.c: an unused BAR is an error, not a length of 0
s/^\t\*region = dfd_desc_region.*$/&\n\tif (!*region) return -EINVAL;/
