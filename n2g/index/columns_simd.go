//go:build amd64 && goexperiment.simd

package index

import (
	"math"
	"math/bits"
	"simd/archsimd"
)

// vectors says whether the processor has the instructions that take [lanes] neurons at a time, wide whether in one
// vector.
var (
	vectors = archsimd.X86.AVX2()
	wide    = archsimd.X86.AVX512()
)

// add takes the activations of [lanes] neighbouring neurons on some rows, at most [most]; values begin with that of the
// first neuron on the first row, counts with its slots, and floors holds the bits of what each keeps.
func (t *tally) add(values []float32, places []int, counts *[lanes * slots]uint32, later *binned,
	floors *[lanes]int32) {
	if wide {
		t.addWide(values, places, later, floors)
		if len(*later) > mostBinned {
			later.count(counts)
		}
	} else {
		var kept [2][most]uint8
		t.addHalf(0, values, places, (*[lanes / 2 * slots]uint32)(counts[:]), (*[lanes / 2]int32)(floors[:]), &kept[0])
		t.addHalf(lanes/2, values[lanes/2:], places, (*[lanes / 2 * slots]uint32)(counts[lanes/2*slots:]),
			(*[lanes / 2]int32)(floors[lanes/2:]), &kept[1])
		t.count = 0
		for k := range places {
			for row := uint16(kept[0][k]) | uint16(kept[1][k])<<(lanes/2); row != 0; row &= row - 1 {
				t.kept[t.count] = uint16(k*lanes + bits.TrailingZeros16(row))
				t.count++
			}
		}
	}
	archsimd.ClearAVXUpperBits() // plain code is slow otherwise
}

// wideOffsets and wideLasts make slots of the upper bits of activations: what is added, and the last of each neuron.
var wideOffsets, wideLasts = func() (offsets, lasts [lanes]int32) {
	for i := range int32(lanes) {
		offsets[i], lasts[i] = i*slots-firstBin+1, i*slots+HistogramBins
	}
	return offsets, lasts
}()

// addWide counts only what lies in a bin, a third of the activations of a trained model: what the others' slot holds
// is never read.
func (t *tally) addWide(values []float32, places []int, later *binned, floors *[lanes]int32) {
	n := len(*later)
	if *later == nil {
		*later = make(binned, 0, mostBinned+most*lanes+lanes)
	}
	slots := (*later)[:cap(*later)]
	offset, last := archsimd.LoadInt32x16(&wideOffsets), archsimd.LoadInt32x16(&wideLasts)
	floor := archsimd.LoadInt32x16(floors)
	least := archsimd.BroadcastInt32x16(firstBin << (fractionBits - histogramBits))
	highest := archsimd.BroadcastFloat32x16(float32(math.Inf(-1)))
	lowest := archsimd.BroadcastFloat32x16(float32(math.Inf(1)))
	unsigned := archsimd.BroadcastInt32x16(math.MaxInt32)
	unit := archsimd.BroadcastFloat32x16(fixedUnit)
	var magnitude archsimd.Int32x16
	var low, high archsimd.Int64x8
	at := archsimd.LoadUint32x16(&[lanes]uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	row := archsimd.BroadcastUint32x16(lanes)
	count, quiet := 0, false
	var none archsimd.Int32x16
	for _, place := range places {
		v := archsimd.LoadFloat32x16((*[lanes]float32)(values[place:]))
		b := v.AsInt32x16()
		if b.NotEqual(none).ToBits() == 0 { // as most features are on most tokens
			at, quiet = at.Add(row), true
			continue
		}
		kept := b.GreaterEqual(floor)
		at.Compress(kept).TruncateToUint16().Store((*[lanes]uint16)(t.kept[count:]))
		count += bits.OnesCount16(kept.ToBits())
		at = at.Add(row)
		highest, lowest = highest.Max(v), lowest.Min(v)
		magnitude = magnitude.Max(b.And(unsigned))
		scaled := v.Mul(unit)
		low = low.Add(scaled.GetLo().ConvertToInt64())
		high = high.Add(scaled.GetHi().ConvertToInt64())
		in := b.GreaterEqual(least)
		slot := b.ShiftAllRight(fractionBits - histogramBits).Add(offset).Min(last).Compress(in)
		slot.AsUint32x16().TruncateToUint16().Store((*[lanes]uint16)(slots[n:]))
		n += bits.OnesCount16(in.ToBits())
	}
	if quiet {
		highest, lowest = highest.Max(none.AsFloat32x16()), lowest.Min(none.AsFloat32x16())
	}
	*later, t.count = slots[:n], count
	highest.Store(&t.highest)
	lowest.Store(&t.lowest)
	magnitude.Store(&t.magnitude)
	low.Store((*[lanes / 2]int64)(t.sums[:]))
	high.Store((*[lanes / 2]int64)(t.sums[lanes/2:]))
}

// addHalf is add for the half of the neurons that begins with the one given.
func (t *tally) addHalf(half int, values []float32, places []int, counts *[lanes / 2 * slots]uint32,
	floors *[lanes / 2]int32, kept *[most]uint8) {
	const slots = int32(slots)
	floor := archsimd.LoadInt32x8(floors).Sub(archsimd.BroadcastInt32x8(1))
	highest, lowest := archsimd.BroadcastFloat32x8(float32(math.Inf(-1))),
		archsimd.BroadcastFloat32x8(float32(math.Inf(1)))
	unsigned := archsimd.BroadcastInt32x8(math.MaxInt32)
	first, last := archsimd.BroadcastInt32x8(firstBin-1), archsimd.BroadcastInt32x8(HistogramBins)
	offset := archsimd.LoadInt32x8(&[lanes / 2]int32{0, slots, 2 * slots, 3 * slots, 4 * slots, 5 * slots, 6 * slots,
		7 * slots})
	var magnitude, whole, fraction, none archsimd.Int32x8
	wholes, fractions := archsimd.BroadcastFloat32x8(fixedWhole), archsimd.BroadcastFloat32x8(fixedUnit/fixedWhole)
	var slot [lanes / 2]uint32
	quiet := false
	for k, place := range places {
		v := archsimd.LoadFloat32x8((*[lanes / 2]float32)(values[place:]))
		b := v.AsInt32x8()
		if b.Equal(none).ToBits() == 0xff {
			quiet = true
			continue
		}
		kept[k] = b.Greater(floor).ToBits()
		highest, lowest = highest.Max(v), lowest.Min(v)
		magnitude = magnitude.Max(b.And(unsigned))
		scaled := v.Mul(wholes)
		w := scaled.ConvertToInt32()
		whole = whole.Add(w)
		fraction = fraction.Add(scaled.Sub(w.ConvertToFloat32()).Mul(fractions).ConvertToInt32())
		b.ShiftAllRight(fractionBits - histogramBits).Sub(first).Max(none).Min(last).Add(offset).AsUint32x8().Store(&slot)
		counts[slot[0]]++
		counts[slot[1]]++
		counts[slot[2]]++
		counts[slot[3]]++
		counts[slot[4]]++
		counts[slot[5]]++
		counts[slot[6]]++
		counts[slot[7]]++
	}
	if quiet {
		highest, lowest = highest.Max(none.AsFloat32x8()), lowest.Min(none.AsFloat32x8())
	}
	highest.Store((*[lanes / 2]float32)(t.highest[half:]))
	lowest.Store((*[lanes / 2]float32)(t.lowest[half:]))
	magnitude.Store((*[lanes / 2]int32)(t.magnitude[half:]))
	var parts [2][lanes / 2]int32
	whole.Store(&parts[0])
	fraction.Store(&parts[1])
	for i := range lanes / 2 {
		t.sums[half+i] = int64(parts[0][i])*(fixedUnit/fixedWhole) + int64(parts[1][i])
	}
}
