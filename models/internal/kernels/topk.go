package kernels

import "slices"

// topBlock is how many elements are passed over at once where none of them is among the highest.
const topBlock = 64

// TopK writes to dst the places of the k highest elements of x that are above 0, ascending; of equal ones the first. It
// returns dst, which may be nil, with its length as many as there are. An element that is NaN is none of them.
func TopK(dst []int32, x []float32, k int) []int32 {
	// dst is a heap whose first place has the lowest of those found, of equal ones the last.
	dst = slices.Grow(dst[:0], min(k, len(x)))
	below := func(a, b int32) bool { return x[a] < x[b] || x[a] == x[b] && a > b }
	floor := float32(0)
	squares := dot(x, x)
	wild := squares != squares // NaN may hide what is largest
	for first := 0; first < len(x) && k > 0; first += topBlock {
		block := x[first:min(first+topBlock, len(x))]
		if !(largest(block) > floor) && !wild {
			continue
		}
		for i, v := range block {
			if !(v > floor) {
				continue
			}
			if len(dst) < k {
				at := len(dst)
				dst = append(dst, int32(first+i))
				for ; at > 0 && below(dst[at], dst[(at-1)/2]); at = (at - 1) / 2 {
					dst[at], dst[(at-1)/2] = dst[(at-1)/2], dst[at]
				}
			} else {
				dst[0] = int32(first + i)
				for at := 0; ; {
					least := at
					for child := 2*at + 1; child <= 2*at+2 && child < k; child++ {
						if below(dst[child], dst[least]) {
							least = child
						}
					}
					if least == at {
						break
					}
					dst[at], dst[least] = dst[least], dst[at]
					at = least
				}
			}
			if len(dst) == k {
				floor = x[dst[0]]
			}
		}
	}
	slices.Sort(dst)
	return dst
}
