#!/bin/sh
# Texts that must not be in the repository: addresses of package indexes, files over 1 MB.
set -u
status=0
hosts='py[p]i[.]org|python[h]osted|npm[j]s[.]org|deb[.]debian[.]org'
if git grep -nIE "$hosts" -- .; then echo "check_text: a package index is named" >&2; status=1; fi
big=$(git ls-files -z | xargs -0 -r ls -l 2>/dev/null | awk '$5 > 1000000 { print $5, $NF }')
if [ -n "$big" ]; then echo "check_text: files over 1 MB: $big" >&2; status=1; fi
exit $status
