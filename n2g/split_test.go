package n2g

import (
	"slices"
	"testing"
)

// The permutations are numpy's RandomState(seed).permutation(n).
func TestSplitExamples(t *testing.T) {
	for _, c := range []struct {
		n, seed     int
		proportion  float64
		test, train []int
	}{
		{20, 0, 0.5, []int{18, 1, 19, 8, 10, 17, 6, 13, 4, 2}, []int{5, 14, 9, 7, 16, 11, 3, 0, 15, 12}},
		{10, 0, 0.5, []int{2, 8, 4, 9, 1}, []int{6, 7, 3, 0, 5}},
		{10, 42, 0.3, []int{8, 1, 5, 0, 7, 2, 9}, []int{4, 3, 6}},
		{7, 1, 0.5, []int{6, 2, 1, 0}, []int{4, 3, 5}},
		{17, 1<<32 - 1, 0.5, []int{8, 1, 5, 14, 10, 15, 16, 13, 11}, []int{9, 6, 0, 4, 7, 12, 2, 3}},
		{16, 7, 1, []int{}, []int{8, 5, 10, 2, 12, 0, 1, 14, 13, 7, 11, 3, 6, 9, 4, 15}},
		{3, 0, 0.01, []int{2, 1}, []int{0}},
		{1, 0, 0.5, []int{}, []int{0}},
		{0, 0, 0.5, []int{}, []int{}},
	} {
		train, test := SplitExamples(c.n, c.proportion, c.seed)
		if !slices.Equal(train, c.train) || !slices.Equal(test, c.test) {
			t.Errorf("SplitExamples(%d, %g, %d) = %v, %v, want %v, %v", c.n, c.proportion, c.seed, train, test, c.train, c.test)
		}
	}
	long := permutation(1000, 123)
	if head, want := long[:8], []int{131, 203, 50, 585, 138, 632, 328, 461}; !slices.Equal(head, want) {
		t.Errorf("permutation(1000, 123) begins %v, want %v", head, want)
	}
}

func TestSplitExamplesGolden(t *testing.T) {
	for _, folder := range []string{"neurons", "neurons_deep"} {
		run := readGoldenGraph[refRun](t, folder+"/run.json.gz")
		train, test := SplitExamples(20, 0.5, 0)
		if !slices.Equal(train, run.TrainIdx) || !slices.Equal(test, run.TestIdx) {
			t.Errorf("%s: split is %v, %v, want %v, %v", folder, train, test, run.TrainIdx, run.TestIdx)
		}
	}
}

func TestSplitExamplesIsAPermutation(t *testing.T) {
	for n := range 70 {
		train, test := SplitExamples(n, 0.5, n*7919)
		all := slices.Sorted(slices.Values(slices.Concat(train, test)))
		for i, v := range all {
			if i != v {
				t.Fatalf("n = %d: %v and %v", n, train, test)
			}
		}
		if n > 1 && len(train) != n/2 {
			t.Errorf("n = %d: %d train", n, len(train))
		}
	}
}

func TestSplitKeepsTestOnlyPrompts(t *testing.T) {
	for _, c := range []struct {
		testOnly    []int
		train, test []int
	}{
		{nil, []int{6, 7, 3, 0, 5}, []int{2, 8, 4, 9, 1}},
		{[]int{7, 4, 9}, []int{6, 3, 0, 5, 2}, []int{8, 1, 7, 4, 9}},
		{[]int{0, 1, 2, 3, 4, 5, 6}, []int{7, 8, 9, 6, 3}, []int{0, 5, 2, 4, 1}}, // too few others
	} {
		e := Examples{Prompts: make([]string, 10), TestOnly: c.testOnly}
		train, test := e.Split(Options{})
		if !slices.Equal(train, c.train) || !slices.Equal(test, c.test) {
			t.Errorf("test only %v: %v, %v, want %v, %v", c.testOnly, train, test, c.train, c.test)
		}
	}
}
