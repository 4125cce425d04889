# SPDX-License-Identifier: GPL-2.0-only
# Completion of lcpfs(8) and its kin for bash. Verbs and options are asked of the programs themselves.
# shellcheck shell=bash disable=SC2207

_lcpfs_options() { "$@" --help 2>/dev/null | grep -oE -- '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,'; }
_lcpfs_pools() { lcpfs scan -n -H 2>/dev/null | cut -f1 | sort -u; }

_lcpfs() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		COMPREPLY=($(compgen -W "$(lcpfs --help | awk '/^  [a-z]/ { print $1 }')" -- "$word"))
		return
	fi
	case $before in
	--pool)
		COMPREPLY=($(compgen -W "$(_lcpfs_pools)" -- "$word"))
		return
		;;
	--partition)
		COMPREPLY=($(compgen -W "$(lcpfs partition list -H 2>/dev/null | cut -f2)" -- "$word"))
		return
		;;
	esac
	case $word in
	-*) COMPREPLY=($(compgen -W "$(_lcpfs_options lcpfs "$verb")" -- "$word")) ;;
	*)
		if [ "$COMP_CWORD" = 2 ]; then
			COMPREPLY=($(compgen -W "$(lcpfs "$verb" --help | grep -oE "lcpfs $verb [a-z|]+" | awk '{ print $3 }' | tr '|' '\n')" -- "$word"))
		else
			COMPREPLY=($(compgen -W "$(lcpfs "$verb" list -H 2>/dev/null | cut -f2)" -- "$word"))
		fi
		[ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
		;;
	esac
}

_lcpfs_tool() {
	local word=${COMP_WORDS[COMP_CWORD]}
	case $word in
	-*) COMPREPLY=($(compgen -W "$(_lcpfs_options "$1")" -- "$word")) ;;
	*) COMPREPLY=($(compgen -f -- "$word")) ;;
	esac
}

complete -o filenames -F _lcpfs lcpfs
complete -o filenames -F _lcpfs_tool mkfs.lcpfs fsck.lcpfs mount.lcpfs
