package corpus

import "math"

// Histogram counts the activations of one neuron by size, on a scale that is the same for every neuron, model and
// corpus: bin b begins at 2^(b/16-14) with b/16 rounded down, plus b%16 sixteenths of that, and ends where the next one
// begins: it is at most a sixteenth of its activations wide. Activations below 2^-14 = 0.00006 are in none; the
// last of the [HistogramBins] bins holds all from 3968 = 2^12 - 2^7 up.
type Histogram struct {
	First  int      `json:"first"`  // the bin of Counts[0]
	Counts []uint32 `json:"counts"` // without the empty bins at both ends
}

const (
	// HistogramBins is the number of bins: 16 to each doubling from 2^-14 to 2^12.
	HistogramBins = (histogramTop - histogramLowest) * histogramParts

	histogramLowest = -14 // powers of 2
	histogramTop    = 12
	histogramBits   = 4 // leading bits of a float32's fraction that tell bins of one doubling apart
	histogramParts  = 1 << histogramBits

	fractionBits = 23 // of a float32
	exponentBias = 127
)

// histogramBin is where an activation is counted, negative where it is in none. A positive float32's bits grow with its
// value, so the upper ones are the number of a bin.
func histogramBin(a float32) int {
	const first = (exponentBias + histogramLowest) << histogramBits
	if !(a > 0) {
		return -1
	}
	return min(int(math.Float32bits(a)>>(fractionBits-histogramBits))-first, HistogramBins-1)
}

// HistogramEdge is where a bin begins.
func HistogramEdge(bin int) float64 {
	return math.Ldexp(1+float64(bin%histogramParts)/histogramParts, bin/histogramParts+histogramLowest)
}

// newHistogram trims counts of all bins.
func newHistogram(counts []uint32) *Histogram {
	first, end := 0, len(counts)
	for first < end && counts[first] == 0 {
		first++
	}
	for end > first && counts[end-1] == 0 {
		end--
	}
	if first == end {
		return nil
	}
	return &Histogram{First: first, Counts: counts[first:end]}
}

// Above estimates how many activations reach a level of at least 2^-14. What lies in the bins above is counted exactly,
// the bin in which the level falls in proportion: the error is less than what that bin holds. A nil Histogram is empty.
func (h *Histogram) Above(level float64) float64 {
	if h == nil {
		return 0
	}
	at := max(histogramBin(float32(level)), 0)
	count := 0.0
	for i, n := range h.Counts {
		if h.First+i > at {
			count += float64(n)
		}
	}
	if i := at - h.First; i >= 0 && i < len(h.Counts) {
		low, high := HistogramEdge(at), HistogramEdge(at+1)
		count += float64(h.Counts[i]) * min(1, max(0, (high-level)/(high-low)))
	}
	return count
}
