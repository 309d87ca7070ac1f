package contexttree

import (
	"context"
	"math"
	"slices"
)

// profile measures, within the rows, how much the firing tokens and those before them matter to the neuron: what part
// of the activation is lost where one is masked, as the published method's importance. It returns what it has spent.
func (q *asking) profile(ctx context.Context, rows int) (spent int, err error) {
	type trial struct {
		seed     int32
		distance int
		original int
	}
	var texts [][]int
	var trials []trial
	places := slices.DeleteFunc(q.strongest(seeds), func(p int32) bool { return q.importances[p] != nil })
	originals := make([]int, len(places))
	for i, p := range places {
		ids := q.text(p, askedContext)
		cost := len(ids) + 1 // with BOS
		if spent+cost > rows {
			places = places[:i]
			break
		}
		spent += cost
		originals[i] = len(texts)
		texts = append(texts, ids)
	}
	for i, p := range places {
		ids := texts[originals[i]]
		for d := 0; d <= q.options.Distance && d < len(ids); d++ {
			masked := slices.Clone(ids)
			masked[len(ids)-1-d] = q.Model.MaskID()
			cost := q.further(ids, masked)
			if spent+cost > rows {
				break
			}
			spent += cost
			trials = append(trials, trial{p, d, originals[i]})
			texts = append(texts, masked)
		}
	}
	if len(trials) == 0 {
		return 0, nil
	}
	values, err := q.run(ctx, texts)
	if err != nil {
		return 0, err
	}
	for k, t := range trials {
		list := q.importances[t.seed]
		for len(list) <= t.distance {
			list = append(list, math.NaN())
		}
		if original := values[t.original]; original > 0 {
			list[t.distance] = max(0, min(1, 1-values[len(texts)-len(trials)+k]/original))
		}
		q.importances[t.seed] = list
	}
	return spent, nil
}
