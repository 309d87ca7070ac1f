package train

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// The optimizer: Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) for the matrices of the blocks,
// AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101) for the rest. Muon's step is scaled to the root
// mean square of Adam's (Liu et al. 2025, https://arxiv.org/abs/2502.16982), so one learning rate and one weight decay
// serve both.
const (
	adamBeta1   = 0.9
	adamBeta2   = 0.95
	adamEpsilon = 1e-8
	muonBeta    = 0.95
	muonRMS     = 0.2 // Adam's usual root mean square of a step, in units of the learning rate
	weightDecay = 0.1 // of parameters with two or more axes
	gradientCap = 1.0 // the global norm that gradients are scaled down to
)

// update builds the optimizer's step for the parameters: new weights and moments. rate is the learning rate and step
// the number of this step, counted from 1; both are scalars.
func update(params []parameter, rate, step *Node, weights, first, second, gradients []*Node) (newWeights, newFirst,
	newSecond []*Node) {
	var squares *Node
	for _, g := range gradients {
		s := ReduceAllSum(Square(g))
		if squares == nil {
			squares = s
		} else {
			squares = Add(squares, s)
		}
	}
	norm := Sqrt(squares)
	clip := Div(ScalarOne(rate.Graph(), rate.DType()), MaxScalar(DivScalar(norm, gradientCap), 1))
	for i, p := range params {
		m, v, w := first[i], second[i], weights[i]
		if p.fixed {
			newWeights, newFirst, newSecond = append(newWeights, w), append(newFirst, m), append(newSecond, v)
			continue
		}
		g := Mul(gradients[i], clip)
		var direction *Node
		if p.muon {
			m = Add(MulScalar(m, muonBeta), g)
			direction = orthogonal(Add(MulScalar(m, muonBeta), g))
		} else {
			m = Add(MulScalar(m, adamBeta1), MulScalar(g, 1-adamBeta1))
			v = Add(MulScalar(v, adamBeta2), MulScalar(Square(g), 1-adamBeta2))
			mHat := Div(m, unbias(adamBeta1, step))
			vHat := Div(v, unbias(adamBeta2, step))
			direction = Div(mHat, AddScalar(Sqrt(vHat), adamEpsilon))
		}
		if len(p.Shape) >= 2 {
			direction = Add(direction, MulScalar(w, weightDecay))
		}
		if p.pace != 0 {
			direction = MulScalar(direction, p.pace)
		}
		w = Sub(w, Mul(direction, rate))
		if p.columnNorm != 0 {
			norms := Sqrt(ReduceAndKeep(Square(w), ReduceSum, 0))
			w = MulScalar(Div(w, norms), p.columnNorm)
		}
		newWeights = append(newWeights, w)
		newFirst = append(newFirst, m)
		newSecond = append(newSecond, v)
	}
	return newWeights, newFirst, newSecond
}

// unbias is 1 - beta^step.
func unbias(beta float64, step *Node) *Node {
	return OneMinus(Exp(MulScalar(step, math.Log(beta))))
}

// orthogonal replaces the singular values of a matrix, or of each matrix of a stack, by about 1 with five Newton-Schulz
// iterations of Muon's quintic, and scales the result.
func orthogonal(x *Node) *Node {
	const a, b, c = 3.4445, -4.7750, 2.0315
	dims := x.Shape().Dimensions
	rows, columns := dims[len(dims)-2], dims[len(dims)-1]
	x = Reshape(x, -1, rows, columns)
	if rows > columns {
		x = Transpose(x, -1, -2)
	}
	norm := Sqrt(ReduceAndKeep(Square(x), ReduceSum, 1, 2))
	x = Div(x, AddScalar(norm, 1e-7))
	for range 5 {
		gram := batchProduct(x, Transpose(x, -1, -2))
		poly := Add(MulScalar(gram, b), MulScalar(batchProduct(gram, gram), c))
		x = Add(MulScalar(x, a), batchProduct(poly, x))
	}
	if rows > columns {
		x = Transpose(x, -1, -2)
	}
	return MulScalar(Reshape(x, dims...), muonRMS*math.Sqrt(float64(max(rows, columns))))
}

// batchProduct multiplies matrices [n, i, k] and [n, k, j] pairwise.
func batchProduct(x, y *Node) *Node {
	return Dot(x, y).General([]int{2}, []int{0}, []int{1}, []int{0})
}

// secondShape is the shape of a parameter's second moment: Muon has none.
func secondShape(p parameter) []int {
	if p.muon {
		return nil
	}
	return p.Shape
}

// learningRate is that of a step, counted from 0: a linear warm-up to the peak, then half a cosine down to zero or,
// with a decay, the peak until that many steps are left, over which it falls as one minus a square root (Hägele et al.
// 2024, https://arxiv.org/abs/2405.18392, section 3).
func (s schedule) learningRate(step int) float64 {
	switch left := s.steps - step; {
	case step < s.warmUp:
		return s.rate * float64(step+1) / float64(s.warmUp)
	case s.decay == 0:
		progress := float64(step-s.warmUp) / float64(max(1, s.steps-s.warmUp))
		return s.rate * (1 + math.Cos(math.Pi*min(1, progress))) / 2
	case left > s.decay:
		return s.rate
	default:
		return s.rate * (1 - math.Sqrt(float64(s.decay-left)/float64(s.decay)))
	}
}
