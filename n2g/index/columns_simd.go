//go:build amd64 && goexperiment.simd

package index

import (
	"math"
	"simd/archsimd"
)

// vectors says whether the processor has the instructions that take eight neurons at a time.
var vectors = archsimd.X86.AVX2()

// add takes the activations of eight neighbouring neurons on some rows; values begin with that of the first neuron on
// the first row, counts with its slots, and floors holds the bits of what each keeps.
func (t *tally) add(values []float32, places []int, counts *[8 * slots]uint32, floors *[8]int32) {
	floor := archsimd.LoadInt32x8(floors).Sub(archsimd.BroadcastInt32x8(1))
	highest, lowest := archsimd.BroadcastFloat32x8(float32(math.Inf(-1))),
		archsimd.BroadcastFloat32x8(float32(math.Inf(1)))
	unsigned := archsimd.BroadcastInt32x8(math.MaxInt32)
	first, last := archsimd.BroadcastInt32x8(firstBin-1), archsimd.BroadcastInt32x8(HistogramBins)
	var magnitude, whole, fraction, none archsimd.Int32x8
	wholes, fractions := archsimd.BroadcastFloat32x8(fixedWhole), archsimd.BroadcastFloat32x8(fixedUnit/fixedWhole)
	var slot [8]int32
	for k, place := range places {
		v := archsimd.LoadFloat32x8Slice(values[place:])
		b := v.AsInt32x8()
		t.kept[k] = b.Greater(floor).ToBits()
		highest, lowest = highest.Max(v), lowest.Min(v)
		magnitude = magnitude.Max(b.And(unsigned))
		scaled := v.Mul(wholes)
		w := scaled.ConvertToInt32()
		whole = whole.Add(w)
		fraction = fraction.Add(scaled.Sub(w.ConvertToFloat32()).Mul(fractions).ConvertToInt32())
		b.ShiftAllRight(fractionBits - histogramBits).Sub(first).Max(none).Min(last).Store(&slot)
		counts[slot[0]]++
		counts[slots+slot[1]]++
		counts[2*slots+slot[2]]++
		counts[3*slots+slot[3]]++
		counts[4*slots+slot[4]]++
		counts[5*slots+slot[5]]++
		counts[6*slots+slot[6]]++
		counts[7*slots+slot[7]]++
	}
	highest.Store(&t.highest)
	lowest.Store(&t.lowest)
	magnitude.Store(&t.magnitude)
	whole.Store(&t.whole)
	fraction.Store(&t.fraction)
	archsimd.ClearAVXUpperBits() // plain code is slow otherwise
}
