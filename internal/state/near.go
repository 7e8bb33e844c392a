package state

// Nearest returns the name closest to word by edit distance, or "" if none is
// within a third of its length.
func Nearest(word string, names []string) string {
	best, limit := "", max(1, len(word)/3)+1
	for _, n := range names {
		if d := distance(word, n); d < limit || d == limit && best != "" && n < best {
			best, limit = n, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
