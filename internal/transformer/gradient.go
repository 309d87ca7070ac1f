package transformer

import (
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/nn"
)

// The costly operations, with gradients written out. Values are those of the plain operations, so inference and
// training agree; only the way back differs from what automatic differentiation makes of it: it reuses the values of
// the way forward, and lays matrix products out so that the pure Go backend transposes the smaller operand at most.
// That makes a training step on that backend almost twice as fast.

// withGradient is value(), of the given shape, with a gradient of its own: gradient gets the derivative of the loss by
// the value and returns those by each of the inputs. Nil inputs are skipped.
func withGradient(shape shapes.Shape, inputs []*Node, value func() *Node, gradient func(v *Node) []*Node) *Node {
	// Autodiff takes the way back through a stand-in of the same shape, which no forward computation needs: it hears
	// the derivative there, and hands the inputs theirs through one identity each.
	standIn := func() []*Node {
		var derivatives []*Node
		var sum *Node
		for i, x := range inputs {
			if x == nil {
				continue
			}
			link := ReduceAllSum(IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return derivatives[i] }))
			if sum == nil {
				sum = link
			} else {
				sum = Add(sum, link)
			}
		}
		return []*Node{IdentityWithCustomGradient(BroadcastToShape(sum, shape), func(x, v *Node) *Node {
			derivatives = gradient(v)
			return ZerosLike(x)
		})}
	}
	outputs, _ := InternalFusedOpCallerMulti(func() []*Node { return []*Node{value()} }, standIn, true)
	return outputs[0]
}

// project is x·W + b for x [..., d_in]: W is [d_in, d_out] or, with layout DenseLayoutOutputsInput, [d_out, d_in]; b
// [d_out] may be nil.
func project(x, w, b *Node, layout compute.DenseLayout) *Node {
	dims := x.Shape().Dimensions
	in, out := dims[len(dims)-1], w.Shape().Dimensions[1]
	if layout == compute.DenseLayoutOutputsInput {
		out = w.Shape().Dimensions[0]
	}
	shape := x.Shape().Clone()
	shape.Dimensions[len(dims)-1] = out
	return withGradient(shape, []*Node{x, w, b}, func() *Node {
		return nn.Dense(x, w, b, layout)
	}, func(v *Node) []*Node {
		rows, v := Reshape(x, -1, in), Reshape(v, -1, out)
		derivatives := make([]*Node, 3)
		if layout == compute.DenseLayoutOutputsInput {
			derivatives[0] = Reshape(Dot(v, w).Product(), dims...)
			derivatives[1] = transposedProduct(v, rows)
		} else {
			derivatives[0] = Reshape(Dot(v, w).General([]int{1}, nil, []int{1}, nil), dims...)
			derivatives[1] = transposedProduct(rows, v)
		}
		if b != nil {
			derivatives[2] = columnSums(v)
		}
		return derivatives
	})
}

// transposedProduct is aᵀ·b for a [..., n, i] and b [..., n, j]: [..., i, j], made as (bᵀ·a)ᵀ where that transposes
// less.
func transposedProduct(a, b *Node) *Node {
	if a.Shape().Size() > b.Shape().Size() {
		return transposeLast(product(transposeLast(b), a))
	}
	return product(transposeLast(a), b)
}

// product is the matrix product of a [..., i, k] and b [..., k, j], batch by batch.
func product(a, b *Node) *Node {
	rank := a.Rank()
	batch := make([]int, rank-2)
	for i := range batch {
		batch[i] = i
	}
	return Dot(a, b).General([]int{rank - 1}, batch, []int{rank - 2}, batch)
}

// transposeLast exchanges the last two axes.
func transposeLast(x *Node) *Node { return Transpose(x, -1, -2) }

// columnSums sums x [n, width] over its rows: [width]. It is a matrix product, which backends do fast; four equal rows
// suit the pure Go one's kernel.
func columnSums(x *Node) *Node {
	n, width := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	ones := Ones(x.Graph(), shapes.Make(x.DType(), 4, n))
	return Reshape(Slice(Dot(ones, x).Product(), AxisRange(0, 1)), width)
}

// rowSums sums x [..., width] over its last axis and keeps it, as a matrix product.
func rowSums(x *Node) *Node {
	dims := x.Shape().Dimensions
	width := dims[len(dims)-1]
	ones := Ones(x.Graph(), shapes.Make(x.DType(), 1, width))
	sums := Dot(Reshape(x, -1, width), ones).General([]int{1}, nil, []int{1}, nil)
	kept := append([]int{}, dims...)
	kept[len(kept)-1] = 1
	return Reshape(sums, kept...)
}

// softmax is the soft-max over the last axis: ∂x = p ⊙ (v - Σ p ⊙ v).
func softmax(x *Node) *Node {
	var p *Node
	return withGradient(x.Shape(), []*Node{x}, func() *Node {
		p = Softmax(x, -1)
		return p
	}, func(v *Node) []*Node {
		pv := Mul(p, v)
		return []*Node{Sub(pv, Mul(p, rowSums(pv)))}
	})
}

// solu is x ⊙ softmax(x) over the last axis: with y = x ⊙ p, ∂x = p ⊙ (v - Σ y ⊙ v) + y ⊙ v.
func solu(x *Node) *Node {
	var p, y *Node
	return withGradient(x.Shape(), []*Node{x}, func() *Node {
		p = Softmax(x, -1)
		y = Mul(x, p)
		return y
	}, func(v *Node) []*Node {
		yv := Mul(y, v)
		return []*Node{Add(Mul(p, Sub(v, rowSums(yv))), yv)}
	})
}

// layerNorm is LayerNorm over the last axis (Ba et al. 2016, https://arxiv.org/abs/1607.06450), weight and bias may
// both be nil. With x̂ the normalised value, σ its divisor and u = v ⊙ weight, ∂x = (u - mean(u) - x̂ ⊙ mean(u ⊙ x̂)) /
// σ.
func layerNorm(x, weight, bias *Node, epsilon float64) *Node {
	normalized := normalize(x, epsilon)
	if weight == nil {
		return normalized
	}
	width := x.Shape().Dimensions[x.Rank()-1]
	return withGradient(x.Shape(), []*Node{normalized, weight, bias}, func() *Node {
		return nn.LayerNorm(x, []int{-1}, epsilon, weight, bias, nil)
	}, func(v *Node) []*Node {
		derivatives := []*Node{
			Mul(v, ExpandLeftToRank(weight, v.Rank())),
			columnSums(Reshape(Mul(v, normalized), -1, width)),
			nil,
		}
		if bias != nil {
			derivatives[2] = columnSums(Reshape(v, -1, width))
		}
		return derivatives
	})
}

// normalize is LayerNorm without weight and bias.
func normalize(x *Node, epsilon float64) *Node {
	var y *Node
	width := float64(x.Shape().Dimensions[x.Rank()-1])
	return withGradient(x.Shape(), []*Node{x}, func() *Node {
		y = nn.LayerNorm(x, []int{-1}, epsilon, nil, nil, nil)
		return y
	}, func(v *Node) []*Node {
		mean := DivScalar(rowSums(x), width)
		variance := Sub(DivScalar(rowSums(Square(x)), width), Square(mean))
		scale := Reciprocal(Sqrt(AddScalar(variance, epsilon)))
		inner := Sub(v, Mul(y, DivScalar(rowSums(Mul(v, y)), width)))
		return []*Node{Mul(Sub(inner, DivScalar(rowSums(v), width)), scale)}
	})
}

// scoresOf is q·kᵀ, batch by batch: [..., n, d] and [..., m, d] become [..., n, m].
func scoresOf(q, k *Node) *Node {
	rank := q.Rank()
	shape := q.Shape().Clone()
	shape.Dimensions[rank-1] = k.Shape().Dimensions[rank-2]
	return withGradient(shape, []*Node{q, k}, func() *Node {
		// Transposing the keys first is 4 to 8 times as fast on the pure Go backend as contracting both last axes.
		return product(q, transposeLast(k))
	}, func(v *Node) []*Node {
		return []*Node{product(v, k), transposedProduct(v, q)}
	})
}

// mix is pattern·v, batch by batch: [..., n, m] and [..., m, d] become [..., n, d].
func mix(pattern, v *Node) *Node {
	rank := v.Rank()
	batch := make([]int, rank-2)
	for i := range batch {
		batch[i] = i
	}
	shape := v.Shape().Clone()
	shape.Dimensions[rank-2] = pattern.Shape().Dimensions[rank-2]
	return withGradient(shape, []*Node{pattern, v}, func() *Node {
		return product(pattern, v)
	}, func(d *Node) []*Node {
		return []*Node{
			Dot(d, v).General([]int{rank - 1}, batch, []int{rank - 1}, batch),
			transposedProduct(pattern, d),
		}
	})
}

// gelu is the exact GELU, x·Φ(x) (Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415): ∂x = v ⊙ (Φ(x) +
// x·φ(x)).
func gelu(x *Node) *Node {
	return withGradient(x.Shape(), []*Node{x}, func() *Node { return activation.Gelu(x) }, func(v *Node) []*Node {
		cdf := MulScalar(AddScalar(Erf(MulScalar(x, math.Sqrt2/2)), 1), 0.5)
		density := MulScalar(Exp(MulScalar(Square(x), -0.5)), 1/math.Sqrt(2*math.Pi))
		return []*Node{Mul(v, Add(cdf, Mul(x, density)))}
	})
}
