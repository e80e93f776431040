#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# texts.sh FILE...: the texts of a set-up's script as C: an array of lines
# setup_text_NAME for each file, without its licence.
set -eu
printf '/* Made by src/setup/texts.sh. */\n'
printf '#include "config.h"\n\n#include <stddef.h>\n\n'
printf '#include "setup/texts.h"\n'
for file; do
	name=${file##*/}
	printf '\nconst char *const setup_text_%s[] = {\n' "${name%.*}"
	sed -e '1,2{/^# Copyright/d;/^# SPDX/d;}' -e 's/\\/\\\\/g' \
		-e 's/"/\\"/g' -e 's/	/\\t/g' \
		-e 's/^/	"/' -e 's/$/\\n",/' "$file"
	printf '\tNULL\n};\n'
done
