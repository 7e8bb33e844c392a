# Debian's PHP reads time zones from a folder whose name is inside the programs.
# Another name of that length: the wrapper opens the real folder under this number.
for program in bin/php8.* sbin/php-fpm8.*; do
  strings -t d -n 19 "$program" | grep -F '/usr/share/zoneinfo' | while read -r at text; do
    printf '/proc/self/fd/201//' | dd of="$program" bs=1 seek="$at" conv=notrunc 2>/dev/null
  done
  [ -z "$(strings "$program" | grep -F /usr/share/zoneinfo)" ]
done
