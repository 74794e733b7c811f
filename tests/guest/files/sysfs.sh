# /sys as programs use it. Every line that says "wrong" is a fault.
cd /sys
wrong() { echo "wrong: $*"; }
[ "$(cat block/sda/dev)" = 8:0 ] || wrong dev
[ "$(cat class/block/sda1/partition)" = 1 ] || wrong partition
# The kernel's other files say the same.
size=$(cat block/sda/sda1/size)
[ "$(awk '$4 == "sda1" {print $3 * 2}' /proc/partitions)" = "$size" ] || wrong size "$size"
[ "$(cat devices/system/cpu/online)" = "0-$(($(grep -c ^processor /proc/cpuinfo) - 1))" ] || wrong processors
[ "$(ls -d devices/system/cpu/cpu? | wc -l)" = "$(grep -c ^processor /proc/cpuinfo)" ] || wrong processors, one by one
set -- $(cat block/sda/stat)
[ $# = 17 ] || wrong stat: $# fields
reads=$(awk '$3 == "sda" {print $4}' /proc/diskstats)
[ "$1" -le "$reads" ] && [ "$1" -gt 0 ] || wrong reads: $1 and then $reads
for device in bus/pci/devices/*; do
    id=$(od -An -tx2 -N4 "$device/config" | tr -d ' ')
    [ "$(sed s/0x// "$device/vendor" "$device/device" | tr -d '\n')" = "$id" ] || wrong "$device: $id"
    [ "$(wc -l <"$device/resource")" = 13 ] || wrong "$device: resource"
    grep -q "^PCI_SLOT_NAME=${device##*/}$" "$device/uevent" || wrong "$device: uevent"
done
irq=$(cat bus/pci/drivers/ahci/*/irq)
grep -q "^ *$irq:.*ahci" /proc/interrupts || wrong irq "$irq"
# Links lead somewhere, and dev/ back to who has the number.
find . -type l | while read -r link; do [ -e "$link" ] || wrong "$link leads nowhere"; done
for number in dev/*/*; do [ "$(cat "$number/dev")" = "${number##*/}" ] || wrong "$number"; done
for entry in class/*/* block/*; do [ -d "$entry/subsystem" ] || wrong "$entry: subsystem"; done
# What can be read is read, to its end; what cannot, cannot, and nothing is written that is not to be.
find . -type f -exec cat {} + >/dev/null || wrong reading
[ "$(find . -type f -perm /222 | sed 's/.*sda/sda/')" = sda/queue/scheduler ] || wrong "writable: $(find . -type f -perm /222)"
for file in block/sda/size class/mem/null/dev; do (echo 1 >$file) 2>/dev/null && wrong "$file was written"; done
(echo x >block/sda/new) 2>/dev/null && wrong made a file
mkdir block/x 2>/dev/null && wrong made a directory
rm block/sda 2>/dev/null && wrong removed a link
# Another elevator, while the disk is busy.
i=0
while [ $i -lt 8 ]; do dd if=/dev/zero of=/root/busy bs=64k count=16 2>/dev/null; sync; i=$((i + 1)); done &
for turn in 1 2 3; do
    echo none >block/sda/queue/scheduler
    [ "$(cat block/sda/queue/scheduler)" = "mq-deadline [none]" ] || wrong none
    dd if=/dev/sda of=/dev/null bs=64k count=8 2>/dev/null
    echo mq-deadline >block/sda/queue/scheduler
    [ "$(cat block/sda/queue/scheduler)" = "[mq-deadline] none" ] || wrong mq-deadline
done
wait
rm /root/busy
(echo bfq >block/sda/queue/scheduler) 2>/dev/null && wrong bfq
# Mounted elsewhere too; a device manager finds its nodes.
mkdir -p /tmp/sys && mount -t sysfs sysfs /tmp/sys && [ "$(cat /tmp/sys/block/sda/dev)" = 8:0 ] || wrong a second mount
cd / && umount /tmp/sys || wrong umount
rm -f /dev/full && mdev -s && [ -c /dev/full ] || wrong mdev
[ "$(lsscsi | grep -c 'disk.*ATA.*VITRINE\|disk.*ATA.*QEMU')" -ge 1 ] || wrong lsscsi "$(lsscsi)"
echo "sysfs: $(find /sys | wc -l) names"
