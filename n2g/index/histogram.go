package index

import "math"

// Histogram counts the activations of one neuron by size, over all tokens, on a scale that is the same for every
// neuron, model and corpus: bin b begins at 2^(b/16-14) with b/16 rounded down, plus b%16 sixteenths of that, and ends
// where the next one begins: it is at most a sixteenth of its activations wide. Activations below 2^-14 = 0.00006 are
// in none; the last of the [HistogramBins] bins holds all from 2^18 - 2^13 = 253952 up.
type Histogram struct {
	First  int      `json:"first"`  // the bin of Counts[0]
	Counts []uint32 `json:"counts"` // without the empty bins at both ends
}

const (
	// HistogramBins is the number of bins: 16 to each doubling from 2^-14 to 2^18.
	HistogramBins = (histogramTop - histogramLowest) * histogramParts

	histogramLowest = -14 // powers of 2
	histogramTop    = 18
	histogramBits   = 4 // leading bits of a float32's fraction that tell bins of one doubling apart
	histogramParts  = 1 << histogramBits

	fractionBits = 23 // of a float32
	exponentBias = 127
	firstBin     = (exponentBias + histogramLowest) << histogramBits
)

// slot is where an activation is counted: 1 + its bin, 0 where it is in none. A positive float32's bits grow with its
// value, so the upper ones are the number of a bin; those of a negative one are a negative number.
func slot(a float32) int {
	return int(min(max(int32(math.Float32bits(a))>>(fractionBits-histogramBits)-firstBin+1, 0), HistogramBins))
}

// slots is the number of slots: the bins, and one for what is in none.
const slots = HistogramBins + 1

// HistogramEdge is where a bin begins.
func HistogramEdge(bin int) float64 {
	return math.Ldexp(1+float64(bin%histogramParts)/histogramParts, bin/histogramParts+histogramLowest)
}

// newHistogram trims counts of all bins.
func newHistogram(counts []uint32) Histogram {
	first, end := 0, len(counts)
	for first < end && counts[first] == 0 {
		first++
	}
	for end > first && counts[end-1] == 0 {
		end--
	}
	if first == end {
		return Histogram{}
	}
	return Histogram{First: first, Counts: counts[first:end]}
}

// Above estimates how many activations reach a level of at least 2^-14. What lies in the bins above is counted exactly,
// the bin in which the level falls in proportion: the error is less than what that bin holds.
func (h Histogram) Above(level float64) float64 {
	at := max(slot(float32(level))-1, 0)
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

// edge is the lowest bin edge that at most limit activations reach, +Inf if the last bin holds more.
func edge(counts []uint32, limit float64) float32 {
	reach := 0.0
	for bin := len(counts) - 1; bin >= 0; bin-- {
		if reach += float64(counts[bin]); reach > limit {
			if bin == len(counts)-1 {
				return float32(math.Inf(1))
			}
			return float32(HistogramEdge(bin + 1))
		}
	}
	return float32(HistogramEdge(0))
}

// keepLevel is the keep level of a neuron with these counts by bin, of total tokens, and this maximum, unless its top
// examples need a lower one ([Index.leastTop]). Neither falls as more tokens are read: what lies below it at any time
// lies below it at the end.
func (o Options) keepLevel(counts []uint32, total int, highest float32) (level float32, dense bool) {
	rare, often := edge(counts, o.Keep*float64(total)), edge(counts, o.Dense*float64(total))
	quarter := highest / 4
	return min(rare, max(quarter, often)), quarter < often
}
