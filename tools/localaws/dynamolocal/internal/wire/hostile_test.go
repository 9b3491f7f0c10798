package wire

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
)

// Deep, large and malformed bodies get a quick response that takes no more memory
// than a few times the body.
func TestHostileBodies(t *testing.T) {
	const deep = 100_000
	update := func(expression, values string) string {
		text, err := json.Marshal(expression)
		if err != nil {
			t.Fatal(err)
		}
		return `{"TableName":"table","Key":{"id":{"S":"a"}},"UpdateExpression":` + string(text) + `,"ExpressionAttributeValues":` + values + `}`
	}
	put := func(value string) string { return `{"TableName":"table","Item":{"id":{"S":"a"},"x":` + value + `}}` }
	for name, c := range map[string]struct{ operation, body string }{
		"nested lists":            {"PutItem", put(strings.Repeat(`{"L":[`, deep) + strings.Repeat("]}", deep))},
		"lists as deep as JSON":   {"PutItem", put(strings.Repeat(`{"L":[`, 4900) + strings.Repeat("]}", 4900))},
		"nested maps, not shut":   {"PutItem", put(strings.Repeat(`{"M":{"a":`, deep))},
		"nested, unknown":         {"GetItem", `{"X":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + "}"},
		"a member twice":          {"GetItem", `{"TableName":"x","Key":{"id":{"S":"a"}},"TableName":"table","tablename":"y"}`},
		"an attribute twice":      {"PutItem", `{"TableName":"table","Item":{"id":{"S":"a"},"id":{"N":"1"}}}`},
		"a huge exponent":         {"PutItem", put(`{"N":"1e999999999999999999999"}`)},
		"a tiny exponent":         {"PutItem", put(`{"N":"1e-99999999999"}`)},
		"zero to a huge exponent": {"PutItem", put(`{"N":"0e2147483647"}`)},
		"a number of many digits": {"PutItem", put(`{"N":"` + strings.Repeat("9", deep) + `"}`)},
		"many zeros":              {"PutItem", put(`{"N":"1` + strings.Repeat("0", deep) + "e-" + "100000" + `"}`)},
		"no UTF-8":                {"PutItem", "{\"TableName\":\"table\",\"Item\":{\"id\":{\"S\":\"\xff\xfe\"}}}"},
		"many parentheses":        {"UpdateItem", update("SET x = "+strings.Repeat("(", deep)+":v"+strings.Repeat(")", deep), `{":v":{"N":"1"}}`)},
		"parentheses that fit":    {"UpdateItem", update("SET x = "+strings.Repeat("(", 2000)+":v"+strings.Repeat(")", 2000), `{":v":{"N":"1"}}`)},
		"NOT again and again":     {"DeleteItem", `{"TableName":"table","Key":{"id":{"S":"a"}},"ConditionExpression":"` + strings.Repeat("NOT ", 1000) + `attribute_exists(id)"}`},
		"a deep path":             {"GetItem", `{"TableName":"table","Key":{"id":{"S":"a"}},"ProjectionExpression":"a` + strings.Repeat(".a", 2000) + `"}`},
		"a path that is set":      {"UpdateItem", update("SET a"+strings.Repeat("[0]", 1300)+" = :v", `{":v":{"N":"1"}}`)},
		"an element far out":      {"UpdateItem", update("SET x = :l, y[2147483647] = :v", `{":l":{"L":[]},":v":{"N":"1"}}`)},
		"an element out of range": {"UpdateItem", update("SET x[99999999999999999999] = :v", `{":v":{"N":"1"}}`)},
		"an empty name":           {"UpdateItem", update("SET #n = :v", `{":v":{"N":"1"}},"ExpressionAttributeNames":{"#n":""}`)},
		"a large item":            {"PutItem", put(`{"S":"` + strings.Repeat("a", 5<<20) + `"}`)},
		"a billion segments":      {"Scan", `{"TableName":"table","Segment":1,"TotalSegments":1000000000}`},
		"a negative limit":        {"Scan", `{"TableName":"table","Limit":-1}`},
		"a huge limit":            {"Scan", `{"TableName":"table","Limit":1e308}`},
		"many requests":           {"BatchWriteItem", `{"RequestItems":{"table":[` + strings.Repeat(`{"DeleteRequest":{"Key":{"id":{"S":"a"}}}},`, 20_000) + `null]}}`},
		"many tables":             {"TransactWriteItems", `{"TransactItems":[` + strings.Repeat(`{"Delete":{"TableName":"t","Key":{}}},`, 20_000) + `null]}`},
		"a long table name":       {"DescribeTable", `{"TableName":"` + strings.Repeat("a", deep) + `"}`},
	} {
		service := core.New(core.Config{StaysCreating: func(string) bool { return false }})
		if _, err := service.CreateTable(core.TableConfig{
			Name: "table", Keys: core.Keys{Hash: core.Key{Name: "id", Type: "S"}}, Attributes: []core.Key{{Name: "id", Type: "S"}}, OnDemand: true,
		}); err != nil {
			t.Fatal(err)
		}
		h := NewHandler(service, NewFaults(), slog.New(slog.DiscardHandler))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		w := serve(h, c.operation, []byte(c.body))
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc
		if w.Code >= http.StatusInternalServerError || took > 5*time.Second || allocated > 64<<20 || w.Body.Len() > 4000 {
			t.Errorf("%s: status %d in %v, %d kB allocated, %d bytes: %.200s", name, w.Code, took, allocated>>10, w.Body.Len(), w.Body)
		}
	}
}
