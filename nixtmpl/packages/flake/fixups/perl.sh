# perl-base has a small copy of some modules, for the time of an installation.
rm -rf lib/x86_64-linux-gnu/perl-base
find lib -name 'Config*.p[lm]' -type f -path '*/perl/*' | while read -r config; do
  sed -i -e "s|/usr/lib/|$out/lib/|g" -e "s|/usr/share/perl/|$out/share/perl/|g" -e "s|/usr/bin/perl|$out/bin/perl|g" -e "s|'/usr/bin'|'$out/bin'|g" \
    -e 's|x86_64-linux-gnu-gcc|cc|g' -e 's|/usr/local/include|/no-such-path|g' "$config"
done

# The folders below /usr are inside the program. What is made for a build (a
# Makefile, a script) must call perl by way of this wrapper, or that of an environment.
own=
for folder in lib/x86_64-linux-gnu/perl/5.* share/perl/5.*; do [ -L "$folder" ] || own=$own${own:+:}$out/$folder; done
mv bin/perl bin/.perl
rm bin/perl5.*
cat > bin/perl <<END
#!$shell
export PERL_WRAPPER=\${PERL_WRAPPER-$out/bin/perl}
case \$PERL5LIB in *$own) ;; *) export PERL5LIB=\${PERL5LIB:+\$PERL5LIB:}$own ;; esac
exec $out/bin/.perl "\$@"
END
chmod +x bin/perl
config=$(ls lib/x86_64-linux-gnu/perl/5.*.*/Config.pm)
sed -i '1i BEGIN { $^X = $ENV{PERL_WRAPPER} if $ENV{PERL_WRAPPER} && -x $ENV{PERL_WRAPPER} }' "$config"
