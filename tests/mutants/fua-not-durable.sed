# src/model/nvme/io.c: FUA is ignored
s/ || r->cmd.cdw\[12\] & FORCE_UNIT_ACCESS//
