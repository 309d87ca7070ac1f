package contexttree

import "testing"

// TestIncomplete: where firing tokens are not posted, a sample in every part of the corpus must tell how many.
func TestIncomplete(t *testing.T) {
	text := []int32{0, 1, 2}
	c, err := NewCorpus([]Window{{IDs: text, Split: Build}, {IDs: text, Split: Build}, {IDs: text, Split: Validate},
		{IDs: text, Split: Test}}, func(id int) string { return string(rune('a' + id)) })
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		level   float64 // that the index keeps, of a maximum of 1
		sampled []int32
		want    bool
	}{
		{.4, nil, false}, {.6, nil, true}, {.6, []int32{1, 2}, true}, {.6, []int32{0, 1, 3}, true}, {.6, []int32{2, 3}, true},
		{.6, []int32{1, 2, 3}, false},
	} {
		a := &Activations{Maximum: 1, Level: test.level, Sampled: test.sampled}
		if got := a.incomplete(c); got != test.want {
			t.Errorf("level %g, sampled %v: %v", test.level, test.sampled, got)
		}
	}
}
