//go:build unix

package e2e

import (
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubejson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// A scaledObject has the fields of KEDA's ScaledObject that the configuration in METRICS.md
// uses. The package of KEDA's own type depends on its controllers.
type scaledObject struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		ScaleTargetRef struct {
			Name string `json:"name"` // of a Deployment, unless kind is there
		} `json:"scaleTargetRef"`
		MinReplicaCount float64 `json:"minReplicaCount"`
		MaxReplicaCount float64 `json:"maxReplicaCount"`
		Advanced        struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior"`
			} `json:"horizontalPodAutoscalerConfig"`
		} `json:"advanced"`
		Triggers []struct {
			Type       string                         `json:"type"`
			MetricType autoscalingv2.MetricTargetType `json:"metricType"`
			Metadata   map[string]string              `json:"metadata"`
		} `json:"triggers"`
	} `json:"spec"`
}

// Prometheus's own engine evaluates the queries on the metrics of a worker, and the
// configuration for KEDA, which fits the Deployment of kcl-bootstrap new, scales by them.
//
// Guarantee: The queries and the autoscaling configuration (KEDA) in METRICS.md do what
// their comments say.
func TestScaling(t *testing.T) {
	const folder = "../../processor/worker/"
	document, err := os.ReadFile(folder + "METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	text := one(t, `(?s)\n## Scaling\n(.*?)\n## `, string(document))
	var queries []string
	for _, m := range regexp.MustCompile(`(?m)^    # .*\n    (.*)$`).FindAllStringSubmatch(text, -1) {
		queries = append(queries, m[1])
	}
	if len(queries) != 4 {
		t.Fatalf("there are %d queries", len(queries))
	}
	golden, err := os.Open(folder + "metrics/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(golden)
	if err != nil {
		t.Fatal(err)
	}

	var config scaledObject
	asJSON, err := yaml.YAMLToJSONStrict([]byte(one(t, "(?s)\n```yaml\n(.*?)\n```\n", text)))
	if err != nil {
		t.Fatal(err)
	}
	if wrong, err := kubejson.UnmarshalStrict(asJSON, &config); err != nil || len(wrong) > 0 {
		t.Fatalf("%v, %v", wrong, err)
	}
	s := config.Spec
	if config.APIVersion != "keda.sh/v1alpha1" || config.Kind != "ScaledObject" || len(s.Triggers) != 2 {
		t.Errorf("%+v", config)
	}
	if want := newProject(t).deployment().Name; s.ScaleTargetRef.Name != want || config.Metadata.Name != want {
		t.Errorf("%q scales %q, the Deployment is %q", config.Metadata.Name, s.ScaleTargetRef.Name, want)
	}
	if b := s.Advanced.HorizontalPodAutoscalerConfig.Behavior; b.ScaleUp == nil || b.ScaleDown == nil || len(b.ScaleDown.Policies) != 1 ||
		b.ScaleDown.Policies[0].Type != autoscalingv2.PodsScalingPolicy || *b.ScaleDown.StabilizationWindowSeconds < 300 {
		t.Errorf("it does not scale in slowly: %+v", b)
	}
	for i, trigger := range s.Triggers {
		// Without ignoreNullValues a missing lag would count as 0.
		if m := trigger.Metadata; trigger.Type != "prometheus" || m["query"] != queries[i] || m["ignoreNullValues"] != "false" ||
			!strings.HasPrefix(m["serverAddress"], "http://") || m["threshold"] == "" || len(m) != 4 {
			t.Errorf("trigger %d: %+v", i, trigger)
		}
	}

	calm := []scraped{
		{instance: "a", application: "orders", lag: 800, sum: 900, busy: .25},
		{instance: "b", application: "orders", busy: .25},
	}
	for name, c := range map[string]struct {
		workers  []scraped
		lag      []float64 // what the queries return
		busy     []float64
		idle     []float64 // by instance
		behind   []float64
		replicas float64 // that there are to be, where there are two
	}{
		"no worker": {nil, nil, nil, nil, nil, math.NaN()},
		"calm":      {calm, []float64{800}, []float64{.5}, []float64{.875, .875}, []float64{1.125}, 2},
		"late": {[]scraped{
			{instance: "a", application: "orders", lag: 90000, sum: 170000, busy: 1},
			{instance: "b", application: "orders", lag: 10000, sum: 10000, busy: .5},
		}, []float64{90000}, []float64{1.5}, []float64{.5, .75}, []float64{2}, 3},
		"busy, not late": {[]scraped{
			{instance: "a", application: "orders", lag: 1, sum: 1, busy: 2},
			{instance: "b", application: "orders", lag: 1, sum: 1, busy: 1.5},
			{instance: "c", application: "orders", lag: 1, sum: 1, busy: 1},
		}, []float64{1}, []float64{4.5}, []float64{0, .25, .5}, []float64{3}, 3},
		"another application is late and busy": {
			append(slices.Clone(calm), scraped{instance: "c", application: "bills", lag: 3.6e6, sum: 3.6e6, busy: 1}),
			[]float64{800},
			[]float64{.5},
			[]float64{.875, .875, .5},
			[]float64{3600900. / 3600000},
			2,
		},
		"one is stuck for long": {
			[]scraped{{instance: "a", application: "orders", lag: 3.6e6, sum: 3.6e6}, {instance: "b", application: "orders"}},
			[]float64{3.6e6},
			[]float64{0},
			[]float64{1, 1},
			[]float64{1},
			8,
		},
		"one has begun anew": {
			[]scraped{{instance: "a", application: "orders", lag: 1, sum: 1, busy: 1}, {instance: "b", application: "orders", busy: 1, again: true}},
			[]float64{1},
			[]float64{1.95}, // what it did before the first scrape is not known
			[]float64{.5, .53},
			[]float64{1},
			2,
		},
	} {
		store := prometheusOf(families, c.workers)
		replicas := 0.
		for i, want := range [][]float64{c.lag, c.busy, c.idle, c.behind} {
			got := evaluate(t, store, queries[i])
			if !slices.EqualFunc(got, want, func(x, y float64) bool { return math.Abs(x-y) < .02*max(1, y) }) {
				t.Errorf("%s: %s is %v, want %v", name, queries[i], got, want)
			}
			if i >= len(s.Triggers) {
				continue
			}
			// Like the HorizontalPodAutoscaler, which changes nothing if a value is
			// unknown.
			threshold, err := strconv.ParseFloat(s.Triggers[i].Metadata["threshold"], 64)
			if err != nil {
				t.Fatal(err)
			}
			n := math.NaN()
			switch {
			case len(got) != 1:
			case s.Triggers[i].MetricType == autoscalingv2.ValueMetricType:
				n = math.Ceil(2 * got[0] / threshold)
			case s.Triggers[i].MetricType == autoscalingv2.AverageValueMetricType:
				n = math.Ceil(math.Round(1000*got[0]) / 1000 / threshold)
			}
			replicas = max(replicas, n)
		}
		replicas = min(max(replicas, s.MinReplicaCount), s.MaxReplicaCount)
		if replicas != c.replicas && !(math.IsNaN(replicas) && math.IsNaN(c.replicas)) {
			t.Errorf("%s: %v replicas, want %v", name, replicas, c.replicas)
		}
	}
}

// A scraped worker has been scraped for 10 minutes.
type scraped struct {
	instance, application string
	lag, sum              float64 // greatest and summed
	busy                  float64 // by which busy seconds grow in each second
	again                 bool    // the process began again two and a half minutes ago
}

var scrapedAt = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

const scrapeInterval = 15 * time.Second

// prometheusOf returns Prometheus's data of workers, each of which has the metrics of
// families.
func prometheusOf(families map[string]*dto.MetricFamily, workers []scraped) storage.Queryable {
	find := func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		set := &seriesSet{}
		for _, w := range workers {
			for name, family := range families {
				for _, m := range family.GetMetric() {
					of := []string{model.MetricNameLabel, name, "job", "kubernetes-pods", "instance", w.instance}
					for _, l := range m.GetLabel() {
						value := l.GetValue()
						if l.GetName() == "application" {
							value = w.application
						}
						of = append(of, l.GetName(), value)
					}
					all := labels.FromStrings(of...)
					if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(all.Get(m.Name)) }) {
						continue
					}
					var points []promql.FPoint
					for ago := 40 * scrapeInterval; ago >= 0; ago -= scrapeInterval {
						value := m.GetGauge().GetValue() + m.GetCounter().GetValue()
						switch name {
						case "kcl_worker_max_millis_behind_latest":
							value = w.lag
						case "kcl_worker_sum_millis_behind_latest":
							value = w.sum
						case "kcl_worker_busy_seconds_total":
							began := time.Hour
							if w.again && ago <= 10*scrapeInterval {
								began = 10 * scrapeInterval
							}
							value = w.busy * (began - ago).Seconds()
						}
						points = append(points, promql.FPoint{T: scrapedAt.Add(-ago).UnixMilli(), F: value})
					}
					set.all = append(set.all, promql.NewStorageSeries(promql.Series{Metric: all, Floats: points}))
				}
			}
		}
		slices.SortFunc(set.all, func(x, y storage.Series) int { return labels.Compare(x.Labels(), y.Labels()) })
		return set
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: find}}
}

// The first element of a seriesSet is its next series.
type seriesSet struct {
	at  storage.Series
	all []storage.Series
}

func (s *seriesSet) Next() bool {
	if len(s.all) == 0 {
		return false
	}
	s.at, s.all = s.all[0], s.all[1:]
	return true
}

func (s *seriesSet) At() storage.Series                { return s.at }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// evaluate returns the query's value for each instance, in order, just after the last
// scrape.
func evaluate(t *testing.T, store storage.Queryable, query string) []float64 {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 100_000, Timeout: time.Minute})
	q, err := engine.NewInstantQuery(t.Context(), store, nil, query, scrapedAt.Add(time.Second))
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer q.Close()
	vector, err := q.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	slices.SortFunc(vector, func(x, y promql.Sample) int { return labels.Compare(x.Metric, y.Metric) })
	var values []float64
	for _, sample := range vector {
		values = append(values, sample.F)
	}
	return values
}
