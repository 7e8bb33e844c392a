package certs

import "fmt"

// InvalidError says why what was given is no certificate that can be served.
type InvalidError struct{ What, Mend string }

func (e *InvalidError) Error() string { return e.What }

// Hint says what is wanted.
func (e *InvalidError) Hint() string { return e.Mend }

// wanted is the hint of most errors.
const wanted = "give the certificate, its chain and its private key on stdin, in PEM: cat fullchain.pem privkey.pem | ssh … certs:add"

func invalid(mend, format string, a ...any) error {
	return &InvalidError{What: fmt.Sprintf(format, a...), Mend: mend}
}
