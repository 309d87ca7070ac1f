package n2g

import "gonum.org/v1/gonum/mathext/prng"

// SplitExamples divides n examples into a train and a test set, as indices in the order in which scikit-learn's
// train_test_split(range(n), train_size=proportion, random_state=seed) gives them: the numbers are drawn by numpy's
// RandomState, so that results compare with the published ones. ⌊n·proportion⌋ train, the rest test; but where that
// leaves none to train, which scikit-learn refuses, one trains. The seed counts modulo 2³².
func SplitExamples(n int, proportion float64, seed int) (train, test []int) {
	if n <= 0 {
		return nil, nil
	}
	trains := min(max(int(float64(n)*proportion), 1), n)
	order := permutation(n, uint32(seed))
	return order[n-trains:], order[:n-trains]
}

// permutation is numpy's RandomState(seed).permutation(n): MT19937 seeded by init_genrand, and the legacy shuffle,
// which draws each swap with mask and rejection.
func permutation(n int, seed uint32) []int {
	source := prng.NewMT19937()
	source.Seed(uint64(seed))
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	for i := n - 1; i > 0; i-- {
		mask := uint32(i)
		for shift := 1; shift < 32; shift *= 2 {
			mask |= mask >> shift
		}
		j := source.Uint32() & mask
		for j > uint32(i) {
			j = source.Uint32() & mask
		}
		order[i], order[j] = order[j], order[i]
	}
	return order
}
