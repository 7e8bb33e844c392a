package packages

import "strings"

// compareVersions orders two Debian version strings as Debian Policy 5.6.12
// says: epoch, then upstream version, then revision. It returns a negative
// number, zero or a positive number. Any two strings are comparable.
func compareVersions(a, b string) int {
	ae, au, ar := splitVersion(a)
	be, bu, br := splitVersion(b)
	if c := compareNumbers(ae, be); c != 0 {
		return c
	}
	if c := comparePart(au, bu); c != 0 {
		return c
	}
	return comparePart(ar, br)
}

// splitVersion cuts [epoch:]upstream[-revision].
func splitVersion(v string) (epoch, upstream, revision string) {
	if e, rest, ok := strings.Cut(v, ":"); ok {
		epoch, v = e, rest
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return epoch, v[:i], v[i+1:]
	}
	return epoch, v, ""
}

// comparePart alternates between runs of non-digits and runs of digits.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		an, bn := digitsAt(a, false), digitsAt(b, false)
		if c := compareText(a[:an], b[:bn]); c != 0 {
			return c
		}
		a, b = a[an:], b[bn:]
		an, bn = digitsAt(a, true), digitsAt(b, true)
		if c := compareNumbers(a[:an], b[:bn]); c != 0 {
			return c
		}
		a, b = a[an:], b[bn:]
	}
	return 0
}

// digitsAt returns the length of the leading run of digits, or of non-digits.
func digitsAt(s string, digits bool) int {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9') == digits {
		i++
	}
	return i
}

func compareText(a, b string) int {
	for i := 0; i < len(a) || i < len(b); i++ {
		if c := weight(a, i) - weight(b, i); c != 0 {
			return c
		}
	}
	return 0
}

// weight gives the order within a run of non-digits: a tilde sorts before the
// end of the run, letters before everything else.
func weight(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case s[i] == '~':
		return -1
	case s[i] >= 'A' && s[i] <= 'Z', s[i] >= 'a' && s[i] <= 'z':
		return int(s[i])
	default:
		return int(s[i]) + 256
	}
}

func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// upstreamVersion reduces a Debian version to what the upstream project calls
// it: without epoch, revision and repackaging suffix ("1:2.0+dfsg-3" is "2.0").
func upstreamVersion(v string) string {
	_, up, _ := splitVersion(v)
	for _, mark := range []string{"+dfsg", "+ds", "~dfsg", "~ds", "+really", ".dfsg"} {
		if i := strings.Index(up, mark); i > 0 {
			up = up[:i]
		}
	}
	return up
}
