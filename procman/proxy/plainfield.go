package proxy

// A fieldKind is what the fast path does with a field.
type fieldKind int

const (
	fieldPass       fieldKind = iota // it goes on as it is
	fieldDrop                        // it ends here
	fieldUnusual                     // the message is net/http's
	fieldHost                        //
	fieldLength                      // Content-Length
	fieldConnection                  //
	fieldRequestID                   // X-Request-Id
	fieldEncoding                    // Transfer-Encoding, of a response
	fieldDate                        //
	fieldStrict                      // Strict-Transport-Security
)

// requestField tells what to do with a field of a request from a client that
// is not a trusted proxy. It says fieldPass only where dropRequestHeader says
// no; a test holds the two together.
func requestField(name []byte) fieldKind {
	switch name[0] | 0x20 {
	case 'c':
		if equalFold(name, "connection") {
			return fieldConnection
		}
		if equalFold(name, "content-length") {
			return fieldLength
		}
	case 'e':
		return unusualIf(name, "expect")
	case 'f':
		return dropIf(name, "forwarded")
	case 'h':
		if equalFold(name, "host") {
			return fieldHost
		}
	case 'k':
		return dropIf(name, "keep-alive")
	case 'p':
		if equalFold(name, "proxy") || hasPrefixFold(name, "proxy-") {
			return fieldDrop
		}
	case 't':
		return unusualIf(name, "te", "trailer", "transfer-encoding")
	case 'u':
		return unusualIf(name, "upgrade")
	case 'v':
		return unusualIf(name, "via")
	case 'x':
		if equalFold(name, "x-request-id") {
			return fieldRequestID
		}
		if hasPrefixFold(name, "x-forwarded-") {
			return fieldDrop
		}
		return dropIf(name, "x-real-ip", "x-request-start")
	}
	return fieldPass
}

// responseField tells what to do with a field of a response.
func responseField(name []byte) fieldKind {
	switch name[0] | 0x20 {
	case 'c':
		if equalFold(name, "connection") {
			return fieldConnection
		}
		if equalFold(name, "content-length") {
			return fieldLength
		}
	case 'd':
		if equalFold(name, "date") {
			return fieldDate
		}
	case 'k':
		return dropIf(name, "keep-alive")
	case 'p':
		return dropIf(name, "proxy-connection", "proxy-authenticate", "proxy-authorization")
	case 's':
		if equalFold(name, "strict-transport-security") {
			return fieldStrict
		}
	case 't':
		if equalFold(name, "transfer-encoding") {
			return fieldEncoding
		}
		if equalFold(name, "te") {
			return fieldDrop
		}
		return unusualIf(name, "trailer")
	case 'u':
		return dropIf(name, "upgrade")
	case 'x':
		if equalFold(name, "x-request-id") {
			return fieldRequestID
		}
	}
	return fieldPass
}

func dropIf(name []byte, any ...string) fieldKind {
	for _, s := range any {
		if equalFold(name, s) {
			return fieldDrop
		}
	}
	return fieldPass
}

func unusualIf(name []byte, any ...string) fieldKind {
	if dropIf(name, any...) == fieldDrop {
		return fieldUnusual
	}
	return fieldPass
}

// equalFold reports whether b is s, which is in lower case, whatever b's case.
func equalFold(b []byte, s string) bool {
	return len(b) == len(s) && hasPrefixFold(b, s)
}

func hasPrefixFold(b []byte, s string) bool {
	if len(b) < len(s) {
		return false
	}
	for i := range len(s) {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

func trimBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

func hexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// A byteClass says how a byte stands in a request target.
type byteClass byte

const (
	oddByte byteClass = iota
	plainByte
	percentByte
)

// classes are the bytes of a plain target: what RFC 3986 allows in a path and
// a query, and the brackets that browsers leave in a query.
var classes = func() (t [256]byteClass) {
	for c := range t {
		if c > ' ' && c < 0x7f {
			t[c] = plainByte
		}
	}
	for _, c := range []byte("\"#<>\\^`{|}") {
		t[c] = oddByte
	}
	t['%'] = percentByte
	return t
}()

// tokens are the bytes of a field's name.
var tokens = func() (t [256]bool) {
	for c := range t {
		t[c] = tokenByte(byte(c))
	}
	return t
}()
