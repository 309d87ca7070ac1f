package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// drawGroup makes a group of random prompts for a neuron and asks some of their positions.
func drawGroup(rng *rand.Rand, index, prompts, vocabulary int) (*group, []Request) {
	requests := make([]Request, prompts)
	for i := range requests {
		for range 1 + rng.IntN(6) {
			requests[i].IDs = append(requests[i].IDs, rng.IntN(vocabulary))
		}
		requests[i].Index = index
		requests[i].Positions = []int{rng.IntN(len(requests[i].IDs))}
	}
	return sharePrefixes(requests, 1<<20)[0], requests
}

func TestChooseForest(t *testing.T) {
	waiting := func(rows ...int) (list []piece) {
		for _, n := range rows {
			list = append(list, piece{group: &group{ids: make([]int32, n)}})
		}
		return list
	}
	const enough, most = 100, 150
	for _, test := range []struct {
		rows []int
		want []int
	}{
		{[]int{10}, []int{0}},
		{[]int{1000, 10}, []int{0}},              // one of more than most runs alone
		{[]int{40, 40, 40, 40}, []int{0, 1, 2}},  // enough
		{[]int{90, 90, 30, 10}, []int{0, 2}},     // one too large is passed over
		{[]int{10, 20, 30}, []int{0, 1, 2}},      // nobody waits for more
		{[]int{60, 100, 20, 70}, []int{0, 2, 3}}, // to the last row
		{[]int{100, 1}, []int{0}},                // exactly enough
	} {
		if got := chooseForest(waiting(test.rows...), enough, most); !slices.Equal(got, test.want) {
			t.Errorf("of groups of %d rows %d are chosen, want %d", test.rows, got, test.want)
		}
	}
}

// Small models on the processor run two groups of one call together, never those of two calls, and a batch has a slot
// for each.
func TestMates(t *testing.T) {
	var first, second []piece
	of := func(call *[]piece, rows ...int) (list []piece) {
		for _, n := range rows {
			list = append(list, piece{group: &group{ids: make([]int32, n)}, call: call})
		}
		return list
	}
	small, large := bucketing{host: true, small: true}, bucketing{host: true}
	for _, test := range []struct {
		bucketing bucketing
		waiting   []piece
		want      []int
	}{
		{small, of(&first, 136, 100, 3), []int{0, 1}},
		{small, slices.Concat(of(&first, 90), of(&second, 80, 70)), []int{0}},
		{small, slices.Concat(of(&first, 90), of(&second, 80), of(&first, 10)), []int{0, 2}},
		{small, of(&first, 137, 100), []int{0}},
		{small, of(&first, 1000, 1000), []int{0}},
		{large, of(&first, 100, 100), []int{0}},
	} {
		got := test.bucketing.choose(test.waiting, 1)
		rows := test.bucketing.rows(len(test.waiting[0].group.ids))
		if !slices.Equal(got, test.want) || len(got) > test.bucketing.slots(len(got), rows) {
			t.Errorf("%d groups, the first of %d rows: %v in %d slots, want %v", len(test.waiting), rows, got,
				test.bucketing.slots(len(got), rows), test.want)
		}
	}
}

// Groups of different neurons give one by one what they give as one forest.
func TestJoinedForests(t *testing.T) {
	m := openGolden(t, "solu").runner.(*kernelRunner)
	rng := rand.New(rand.NewPCG(1, 2))
	var pieces []piece
	var got, want [][]float32
	for i := range 7 {
		g, requests := drawGroup(rng, 5*i%3, 1+rng.IntN(20), 40)
		asked, _ := g.asked(requests)
		alone, err := m.column(t.Context(), g, 1, "hook_mid", asked)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, alone)
		pieces = append(pieces, piece{group: g, rows: asked, read: func(values []float32) { got = append(got, values) }})
	}
	if err := m.run(t.Context(), task{columnTask, 1, "hook_mid"}, pieces); err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("joined:\n%v, one by one:\n%v", got, want)
	}
}
