package serve

import (
	"context"
	"errors"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/effects"
)

// Connector is a model that tells which neurons one is connected with by its weights.
type Connector interface {
	Connected(ctx context.Context, layer, neuron, k int) (*effects.Neighbours, error)
}

// Connected are the neurons that one works with: by the weights, as package effects finds them, and by firing on the
// same tokens of the corpus. Sites of other kinds than neurons have the last alone.
type Connected struct {
	Down     []Linked   `json:"down"`     // later ones that read what it writes
	Up       []Linked   `json:"up"`       // earlier ones that write what it reads
	LikeIn   []Linked   `json:"like_in"`  // those that read in a like direction
	LikeOut  []Linked   `json:"like_out"` // those that write in a like direction
	Together []Together `json:"together"` // those that fire with it, most telling first
}

// Linked is a neuron connected by weights.
type Linked struct {
	effects.Neighbour
	Label string `json:"label,omitempty"`
}

// Together is a neuron that fires where another does.
type Together struct {
	Layer  int     `json:"layer"`
	Neuron int     `json:"neuron"`
	Label  string  `json:"label,omitempty"`
	Fired  float64 `json:"fired"`  // share of the tokens on which the other fires
	Chance float64 `json:"chance"` // that share, if it fired anywhere with equal chance
}

// mostConnected of each kind.
const mostConnected = 8

func (s *Server) connected(ctx context.Context, in *At) (*Connected, error) {
	table, _, err := s.row(ctx, in.id())
	if err != nil {
		return nil, err
	}
	out := &Connected{Down: []Linked{}, Up: []Linked{}, LikeIn: []Linked{}, LikeOut: []Linked{}}
	if m, ok := s.o.Model.(Connector); ok && s.servesNeurons() {
		found, err := m.Connected(ctx, in.Layer, in.Neuron, mostConnected)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return nil, asked(ctx, err)
		}
		if found != nil {
			for _, list := range []struct {
				to   *[]Linked
				from []effects.Neighbour
			}{{&out.Down, found.Down}, {&out.Up, found.Up}, {&out.LikeIn, found.LikeIn}, {&out.LikeOut, found.LikeOut}} {
				for _, n := range list.from {
					*list.to = append(*list.to, Linked{n, table.label(n2g.Site{Layer: n.Layer, Index: n.Neuron})})
				}
			}
		}
	}
	out.Together, err = s.together(ctx, table, in.id(), mostConnected)
	return out, err
}

// together are the neurons that fire where one does, by the index; none without one.
func (s *Server) together(ctx context.Context, table *snapshot, n n2g.Site, most int) ([]Together, error) {
	list := []Together{}
	x := s.source.Load().Index
	if x == nil {
		return list, nil
	}
	number, err := x.Meta().Number(n.Layer, s.o.Hook, n.Index)
	if err != nil {
		return list, nil // the index has other neurons
	}
	found, err := x.CoFiring(number, 2*most)
	if err != nil {
		return nil, err
	}
	const looked = 512 // places at most, as CoFiring has it
	places, err := x.FiringPlaces(number, looked)
	if err != nil {
		return nil, err
	}
	few := max(2, len(places)/50) // that may be chance
	for _, f := range found {
		other := x.Meta().Neuron(f.Neuron)
		if other.Hook != s.o.Hook || f.Fired <= few || len(list) == most {
			continue
		}
		label := table.label(n2g.Site{Layer: other.Layer, Index: other.Index})
		list = append(list, Together{other.Layer, other.Index, label, float64(f.Fired) / float64(len(places)), f.Chance})
	}
	return list, nil
}
