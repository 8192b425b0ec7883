# SPDX-License-Identifier: MIT
# Completion for bash: addresses, options, verbs. Also loaded under the name of lsvfio.

# Models by name, PCI functions of the machine, and files behind dtb: and file:.
_devfd_addresses() { # PREFIX WORD
	local prefix=$1 word=$2 name
	case $word in
	model:*)
		name=$(lsvfio model: 2>/dev/null | sed -n 's/^\([^ :]*\):.*/model:\1/p')
		COMPREPLY=($(compgen -P "$prefix" -W "$name" -- "$word"))
		;;
	sysfs:*)
		name=$(cd /sys/bus/pci/devices 2>/dev/null && printf 'sysfs:%s ' *)
		COMPREPLY=($(compgen -P "$prefix" -W "$name" -- "$word"))
		;;
	pci:*)
		name=$(cd /sys/bus/pci/drivers/vfio-pci 2>/dev/null && printf 'pci:%s ' *:*)
		COMPREPLY=($(compgen -P "$prefix" -W "$name" -- "$word"))
		;;
	platform:*)
		name=$(cd /sys/bus/platform/drivers/vfio-platform 2>/dev/null && printf 'platform:%s ' *.*)
		COMPREPLY=($(compgen -P "$prefix" -W "$name" -- "$word"))
		;;
	cdev:*)
		name=$(cd /dev/vfio/devices 2>/dev/null && printf 'cdev:%s ' *vfio*)
		COMPREPLY=($(compgen -P "$prefix" -W "$name" -- "$word"))
		;;
	mdev:*)
		name=$(cd /sys/bus/mdev/devices 2>/dev/null && printf 'mdev:%s ' *-*)
		COMPREPLY=($(compgen -P "$prefix" -W "$name" -- "$word"))
		;;
	dtb:* | file:* | user:*)
		COMPREPLY=($(compgen -P "$prefix${word%%:*}:" -f -- "${word#*:}"))
		compopt -o nospace
		;;
	*)
		COMPREPLY=($(compgen -P "$prefix" -W "model: pci: platform: mdev: cdev: fd: user: sysfs: dtb: file:" -- "$word"))
		compopt -o nospace
		;;
	esac
}

# Colons and equals signs end words for readline: put the word together, complete it, and give back
# what lies behind the last of them.
_devfd_word() {
	local line=${COMP_LINE:0:COMP_POINT}
	printf %s "${line##*[[:space:]]}"
}

_devfd_trim() { # WORD
	local before=
	case $COMP_WORDBREAKS in *:*) [[ $1 == *:* ]] && before=${1%"${1##*:}"} ;; esac
	if [[ $COMP_WORDBREAKS == *=* && $1 == *=* && ${1##*=} != *:* ]]; then
		before=${1%"${1##*=}"}
	fi
	COMPREPLY=("${COMPREPLY[@]#"$before"}")
}

# What devfd bind and its kind take.
_devfd_functions() { # VERB WORD
	local names="--dry-run --verbose --help"
	case $1 in
	bind) names+=" --group --force" ;;
	unbind) names+=" --force" ;;
	esac
	if [[ $2 != -* && $1 == restore ]]; then
		names=$(sed -n 's/^\([^\t]*\)\t.*/\1/p' /run/devfd/drivers 2>/dev/null)
	elif [[ $2 != -* ]]; then
		names=$(cd /sys/bus/pci/devices 2>/dev/null && printf '%s ' *)
	fi
	COMPREPLY=($(compgen -W "$names" -- "$2"))
}

# Everything but addresses and programs is a file.
_devfd_uml() { # WORD
	if [[ $1 == -* ]]; then
		COMPREPLY=($(compgen -W "--device --kernel --init --rootfs --with --timeout --verbose
			--help --" -- "$1"))
	elif [[ $COMP_LINE == *"--device $1" ]]; then
		_devfd_addresses "" "$1"
	elif [[ $COMP_LINE == *"--with $1" ]]; then
		COMPREPLY=($(compgen -c -- "$1"))
	else
		COMPREPLY=($(compgen -f -- "$1"))
	fi
}

_lsvfio() {
	local word
	word=$(_devfd_word)
	COMPREPLY=()
	case $word in
	--via=*) COMPREPLY=($(compgen -P --via= -W "table ioctl vfio both" -- "${word#*=}")) ;;
	--save=*) COMPREPLY=($(compgen -P --save= -f -- "${word#*=}")) ;;
	--file=*) COMPREPLY=($(compgen -P --file= -f -- "${word#*=}")) ;;
	--root=*) COMPREPLY=($(compgen -P --root= -d -- "${word#*=}")) ;;
	-*)
		COMPREPLY=($(compgen -W "-v --verbose -vv -vvv -x -g --groups -t --tree -mm -J --json -F --file= --check --open --fd= --table --via= --save= --root=
			--help --version" -- "$word"))
		[[ ${COMPREPLY-} == *= ]] && compopt -o nospace
		;;
	*)
		if [[ $COMP_LINE == *"-F $word" ]]; then
			COMPREPLY=($(compgen -f -- "$word"))
		else
			_devfd_addresses "" "$word"
		fi
		;;
	esac
	_devfd_trim "$word"
}

_devfd() {
	local word verbs
	word=$(_devfd_word)
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		verbs=$(devfd help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')
		COMPREPLY=($(compgen -W "$verbs --help --version" -- "$word"))
	elif [[ $COMP_LINE == "devfd run "* && ($word == --view=* || $COMP_LINE == *"--view $word") ]]; then
		COMPREPLY=($(compgen -W "mount paths" -- "${word#--view=}"))
		return
	elif [[ $word == *=* ]]; then
		_devfd_addresses "${word%%=*}=" "${word#*=}"
	elif [[ $COMP_LINE =~ ^devfd\ (bind|unbind|restore)\  ]]; then
		_devfd_functions "${BASH_REMATCH[1]}" "$word"
	elif [[ $COMP_LINE == "devfd serve "* && $word == -* ]]; then
		COMPREPLY=($(compgen -W "--socket --mode --once --poll --log --help" -- "$word"))
	elif [[ $COMP_LINE == "devfd uml "* ]]; then
		_devfd_uml "$word"
	elif [[ $word == -* ]]; then
		COMPREPLY=($(compgen -W "--device --at --in-process --static --view --verbose --help --" -- "$word"))
	elif [[ $COMP_LINE == "devfd serve "* && $COMP_LINE != *"--socket $word" ]]; then
		_devfd_addresses "" "$word"
	else
		COMPREPLY=($(compgen -f -- "$word"))
	fi
	_devfd_trim "$word"
}

complete -F _lsvfio lsvfio
complete -F _devfd devfd
