// Package moments computes means, variances and correlations of samples in two passes, so that a large mean costs the
// variance no digits (Chan, Golub and LeVeque, Algorithms for Computing the Sample Variance, 1983).
//
// gonum's package stat computes the same, and is what the tests compare with; it brings matrices, LAPACK and BLAS, 2 MB
// of a program.
package moments

import "math"

// MeanVariance returns the mean of the values and their population variance, Σ(x-mean)²/n; NaN of none.
func MeanVariance(values []float64) (mean, variance float64) {
	n := float64(len(values))
	mean = sum(values) / n
	return mean, centred(values, values, mean, mean) / n
}

// MeanStd is [MeanVariance] with its root, the population standard deviation.
func MeanStd(values []float64) (mean, std float64) {
	mean, variance := MeanVariance(values)
	return mean, math.Sqrt(variance)
}

// Pearson returns the correlation coefficient of two samples of one length; NaN where one does not vary.
func Pearson(x, y []float64) float64 {
	n := float64(len(x))
	meanX, meanY := sum(x)/n, sum(y)/n
	return centred(x, y, meanX, meanY) / math.Sqrt(centred(x, x, meanX, meanX)*centred(y, y, meanY, meanY))
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// centred is Σ(x-meanX)(y-meanY), less what rounding of the means added to it.
func centred(x, y []float64, meanX, meanY float64) float64 {
	var products, restX, restY float64
	for i, v := range x {
		dx, dy := v-meanX, y[i]-meanY
		products += dx * dy
		restX += dx
		restY += dy
	}
	return products - restX*restY/float64(len(x))
}
