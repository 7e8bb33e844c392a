package receive

import "strings"

// validRef applies the rules of git-check-ref-format(1) to a full ref name, which must start with
// refs/ and have a kind (heads, tags, …).
func validRef(name string) bool {
	if !strings.HasPrefix(name, "refs/") || len(name) > 1000 || strings.Count(name, "/") < 2 {
		return false
	}
	if strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, ".") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r)
	})
}
