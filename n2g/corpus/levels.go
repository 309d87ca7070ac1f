package corpus

import "math"

// levels counts activations by size, fine enough to tell afterwards what share lies above a level that was not known
// while they were counted. Bins are geometric: levelBins to each doubling, so that a level is off by at most a
// thousandth of itself.
type levels struct {
	bins  [levelOctaves * levelBins]uint64
	total uint64
}

const (
	levelBins    = 1024
	levelOctaves = 48
	levelLowest  = -32 // the first bin begins at 2^-32; what is smaller is counted in no bin
)

func (l *levels) add(activations []float32) {
	l.total += uint64(len(activations))
	for _, a := range activations {
		if a > 0 {
			if bin := levelOf(float64(a)); bin >= 0 {
				l.bins[bin]++
			}
		}
	}
}

// above is the share of all activations at or above a level.
func (l *levels) above(level float64) float64 {
	if l.total == 0 || level <= 0 {
		return 0
	}
	count := uint64(0)
	for _, n := range l.bins[max(0, levelOf(level)):] {
		count += n
	}
	return float64(count) / float64(l.total)
}

func levelOf(a float64) int {
	return min(int(math.Floor((math.Log2(a)-levelLowest)*levelBins)), levelOctaves*levelBins-1)
}
