;; guild compile [-L FOLDER]… [-ON] -o OUT FILE: of Guile's guild what builds use; Debian has the rest among its headers.
(use-modules (system base compile) (ice-9 match))

(let loop ((args (match (command-line) ((_ "compile" . rest) rest) (_ (error "guild knows compile only"))))
           (out #f) (files '()))
  (match args
    (("-L" folder . rest) (add-to-load-path folder) (loop rest out files))
    (("-o" file . rest) (loop rest file files))
    (((? (lambda (a) (string-prefix? "-" a))) . rest) (loop rest out files))
    ((file . rest) (loop rest out (cons file files)))
    (() (for-each (lambda (file) (format #t "wrote `~a'\n" (compile-file file #:output-file out))) files))))
