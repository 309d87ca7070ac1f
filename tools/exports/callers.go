package main

// allowed are names that nothing in the repository uses outside of their packages, and why they are exported.
var allowed = map[string]string{
	"n2g.Casing.UnmarshalJSON":        "json.Unmarshaler, for programs that read casings",
	"n2g.CountCasings":                "casings of a corpus of one's own",
	"n2g.ErrNeverFires":               "told by errors.Is from what goes wrong",
	"n2g.Examples.UnmarshalJSON":      "json.Unmarshaler, for programs that read files of examples",
	"n2g.ModeAllButImportant":         "a value of Options.Mode, which is a string",
	"n2g.ModeDefault":                 "a value of Options.Mode, which is a string",
	"n2g.ModeMaskNum":                 "a value of Options.Mode, which is a string",
	"n2g.ModeOnlyImportant":           "a value of Options.Mode, which is a string",
	"n2g.Predictor.AppendPredictions": "predictions on many texts without an allocation each",
	"n2g.Prune.Scale":                 "activations of a pruned text beside those of the whole",
	"n2g.Score":                       "scores of predictions of one's own",
	"n2g.Work.Share":                  "what sharing prefixes saved, of a Work read from an explanation",

	"n2g/corpus.IndexNeuron":    "an index of one neuron in memory, without a file",
	"n2g/corpus.NotFiniteError": "told by errors.As from what goes wrong",
	"n2g/corpus.PieceBytes":     "how long a piece of a Source of one's own may be",

	"n2g/index.Format":        "the format's name, for programs that read the file themselves",
	"n2g/index.HistogramBins": "the number of bins that HistogramEdge has",

	"n2g/contexttree.ActivationsOf": "the activations of one neuron that an index holds, to learn from",
	"n2g/contexttree.Compare":       "comparisons of a graph of one's own",
	"n2g/contexttree.CorpusOf":      "an index's corpus, to learn from",
	"n2g/contexttree.ErrDead":       "told by errors.Is from what goes wrong",
	"n2g/contexttree.Label":         "a graph's label in one line",
	"n2g/contexttree.Learner.Ask":   "learning that asks the model, without an Explainer",
	"n2g/contexttree.Learner.Learn": "learning without an Explainer",
	"n2g/contexttree.NewLearner":    "learning without an Explainer",
	"n2g/contexttree.OtherText":     "the name of a kind of text among Comparisons",

	"n2g/store.ErrDamaged":    "told by errors.Is from what goes wrong",
	"n2g/store.Store.Effects": "effects of one neuron; pages read those of many",
	"n2g/store.Store.Shards":  "which shards of a run a store holds",
	"n2g/store.Tokens.Len":    "how many neurons are in memory",

	"n2g/cluster.Folder.Job":    "a job's folder read by a program of one's own",
	"n2g/cluster.Folder.Left":   "a job's folder read by a program of one's own",
	"n2g/cluster.Folder.Logs":   "a job's folder read by a program of one's own",
	"n2g/cluster.Folder.Result": "a job's folder read by a program of one's own",
	"n2g/cluster.Job.Parts":     "a job's folder read by a program of one's own",
	"n2g/cluster.Job.Stages":    "a job's folder read by a program of one's own",

	"n2g/heatmap.HeatMap.SVG": "a heat map as SVG, where no PNG is wanted",

	"models.Cache.Hooks":           "the hook points of a Cache, for notebooks",
	"models.Causal.HookPoints":     "which hook points a model has, for notebooks",
	"models.Causal.Programs":       "how many programs XLA compiled, for measurements",
	"models.Causal.TokenLogProbs":  "log-probabilities of each token under variants of the model",
	"models.Causal.WithDirections": "directions of one's own; Options.Direction reads those of a file",
	"models.Masked.Fingerprint":    "what tells two masked models of one name apart",
	"models.Masked.Programs":       "how many programs XLA compiled, for measurements",
	"models.OpenMaskedFS":          "a masked model in a file system of one's own, an embedded one",
	"models.ReadDirections":        "directions of one's own",
	"models.ServerVar":             "the environment variable's name",

	"notebooks/lab.Picture": "what lab.Show takes beside its own pictures",
}
