#!/usr/bin/env bash
# Ends the cell that deploy/up.sh started, and removes what it made: processes, certificates, keys,
# logs, the demo storefront. A data folder given with --data is left alone.
#
#   deploy/down.sh [--folder DIR] [--keep]
#     --folder DIR  as given to up.sh (build/cell in the source tree)
#     --keep        ends the processes, and keeps the files
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/deploy/lib.sh"
. "$root/deploy/cell.sh"

folder=$root/build/cell keep=no
while [ $# -gt 0 ]; do
    case $1 in
    --folder) folder=${2:?--folder needs a path}; shift ;;
    --keep) keep=yes ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) vt_die "unknown argument '$1'; see $0 --help" ;;
    esac
    shift
done
folder=$(realpath -m "$folder")

[ -d "$folder" ] || { echo "down.sh: there is no $folder"; exit 0; }
[ -d "$folder/logs" ] && [ -e "$folder/keys.txt" ] || [ -d "$folder/processes" ] ||
    vt_die "$folder is not a folder of up.sh; nothing is touched"
vt_say "Ending the processes of $folder"
stop_cell "$folder"
if [ $keep = no ]; then
    vt_say "Removing what up.sh made there"
    rm -rf "$folder"/{certs,keys.txt,keys.txt.new,logs,processes,gateway,prometheus,shop,data,data.complete,cell.json.new}
    rmdir --ignore-fail-on-non-empty "$folder"
fi
echo "nothing of the cell runs any more"
