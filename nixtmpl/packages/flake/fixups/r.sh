# R finds itself, its tools and its settings by where Debian has them.
find lib/R/bin bin -type f -exec grep -lI '^#!/bin/bash' {} + | while read -r script; do
  sed -i "1s|.*|#!$shell|" "$script"
done
sed -i -e 's|^SED=/bin/sed|SED=sed|' -e 's|/usr/${libnn|/nowhere/${libnn|' -e "s|/usr/lib/R|$out/lib/R|g" -e "s|/usr/share/R|$out/share/R|g" lib/R/bin/R
ln -sf ../lib/R/bin/R bin/R
ln -sf ../lib/R/bin/Rscript bin/Rscript
sed -e "s|'/usr/bin/|'|" -e "s|'/bin/|'|" -e 's|/usr/local/lib/R/site-library:||' lib/R/etc/Renviron.ucf > lib/R/etc/Renviron
sed -i -e 's|/usr/local/lib/R/site-library/:||' -e "s|/usr/lib/R|$out/lib/R|g" etc/R/Renviron.site
printf ': ${R_LD_LIBRARY_PATH=${R_HOME}/lib}\nLD_LIBRARY_PATH=${R_LD_LIBRARY_PATH}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\nexport LD_LIBRARY_PATH\n' > etc/R/ldpaths
sed -i -e "s|/usr/lib/R|$out/lib/R|g" -e "s|/usr/share/R|$out/share/R|g" -e "s|/bin/bash|$shell|g" etc/R/Makeconf
# Sys.which runs Debian's which by a shell; this looks itself. The file is read before every session.
cat >> lib/R/library/base/R/Rprofile <<'END'
Sys.which <- function(names) {
    look <- function(name) {
        if (is.na(name) || !nzchar(name)) return("")
        folders <- if (grepl("/", name, fixed = TRUE)) "" else paste0(strsplit(Sys.getenv("PATH"), ":", fixed = TRUE)[[1L]], "/")
        files <- paste0(folders, name)
        files <- files[file.access(files, 1L) == 0L & !dir.exists(files)]
        if (length(files)) files[1L] else ""
    }
    structure(vapply(as.character(names), look, ""), names = names)
}
END
