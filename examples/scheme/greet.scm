(define-module (greet)
  #:export (greeting))

(define (greeting path)
  "hello from scheme, version 1\n")
