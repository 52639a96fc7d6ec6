# Ends what is left of a run when the process that started it is gone. $1 names the run. Reads
# "+<group>" and "-<group>", one a line; end of file means that the process is gone.
groups=' '
while read -r line; do
  group=${line#?}
  case $line in
    +*) groups="$groups$group " ;;
    -*) case $groups in
          *" $group "*) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
        esac ;;
  esac
done
[ "$groups" = ' ' ] && exit 0
mark="SYNAPSE_RUN_ID=$1-"
for group in $groups; do
  # A process of that number with another environment is a stranger who got the number since.
  environ=/proc/$group/environ
  if grep -qs = "$environ" && ! grep -qs "$mark" "$environ"; then continue; fi
  kill -KILL "-$group"
done
# Those that left their group are known by their environment. They may be starting others, so look
# until there are none; one that cannot be killed must not keep us here.
round=0
while [ "$round" -lt 200 ]; do
  found=$(grep -ls "$mark" /proc/[0-9]*/environ) || exit 0
  for file in $found; do
    process=${file#/proc/}
    kill -KILL "${process%/environ}"
  done
  round=$((round + 1))
done
