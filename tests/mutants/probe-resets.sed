# src/ioctl/ioctl_2011.c: asking whether the device can be reset resets it
/arg->word == 1/{n;s/return 0;/return dfd_device_reset(dev);/;}
