;;; A server of Guile's own (web server) module.
(use-modules (web server)
             (web request)
             (web response)
             (web uri)
             (greet))

(define (handler request body)
  (values '((content-type . (text/plain)))
          (greeting (uri-path (request-uri request)))))

(run-server handler 'http
            (list #:host (or (getenv "HOST") "127.0.0.1")
                  #:port (string->number (or (getenv "PORT") "8080"))))
