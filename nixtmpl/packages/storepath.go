package packages

import "regexp"

var storeNameBad = regexp.MustCompile(`[^A-Za-z0-9+._?=-]`)

// storeName makes a file name legal as the name of a store path.
func storeName(s string) string {
	s = storeNameBad.ReplaceAllString(s, "_")
	if s != "" && s[0] == '.' {
		s = "_" + s[1:]
	}
	return s
}
