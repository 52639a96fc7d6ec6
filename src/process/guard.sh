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
# Those that left their group are known by their environment. They may be starting others, or be
# invisible for a moment while they change their program, so look until there are none three times.
# One that cannot be killed must not keep us here.
rounds=0
empty=0
while [ "$rounds" -lt 200 ] && [ "$empty" -lt 3 ]; do
  found=$(grep -ls "$mark" /proc/[0-9]*/environ)
  if [ -z "$found" ]; then empty=$((empty + 1)); else empty=0; fi
  for file in $found; do
    process=${file#/proc/}
    kill -KILL "${process%/environ}"
  done
  rounds=$((rounds + 1))
done
