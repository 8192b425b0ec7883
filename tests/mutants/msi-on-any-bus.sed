# src/ioctl/ioctl_2011.c: a device-tree interrupt answers as MSI
s/dfd_desc_bus(desc) != DFD_BUS_PCI || n < 0/n < 0/
