package n2g

// Casings counts, for each lower-case word of a corpus, how it is spelled there: the published word_to_casings.
// Its JSON is {"word": {"Word": 12, "word": 3}}.
type Casings map[string]map[string]int
