package wire

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
)

func serve(h *Handler, operation string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Amz-Target", targetPrefix+operation)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Any request gets a response in JSON that is not an internal error.
func FuzzRequests(f *testing.F) {
	names := slices.Sorted(maps.Keys(operations))
	for i := range names {
		for _, body := range []string{
			`{}`, `null`, `[]`, ``,
			`{"TableName":"made","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}`,
			`{"TableName":"table","Key":{"id":{"S":"a"}},"AttributeUpdates":{"x":{"Action":"ADD","Value":{"N":"1"}}},"Expected":{"y":{"Exists":false}},"ReturnValues":"ALL_NEW"}`,
			`{"TableName":"table","Key":{"id":{"S":"a"}},"UpdateExpression":"SET x[1] = :v","ExpressionAttributeValues":{":v":{"L":[{"M":{}}]}},"ConditionExpression":"x <> :v"}`,
			`{"TableName":"table","Item":{"id":{"S":"a"},"x":{"BS":["AA==",""]}},"ReturnConsumedCapacity":"INDEXES"}`,
			`{"TableName":"table","KeyConditionExpression":"id = :v","ExpressionAttributeValues":{":v":{"S":"a"}},"ExclusiveStartKey":{"id":{"S":"a"}},"ScanIndexForward":false,"Limit":1}`,
			`{"TableName":"table","IndexName":"index","ScanFilter":{"x":{"ComparisonOperator":"IN","AttributeValueList":[]}},"Segment":0,"TotalSegments":3}`,
			`{"RequestItems":{"table":[{"PutRequest":{"Item":{"id":{"S":"a"}}}},null]}}`,
			`{"RequestItems":{"table":{"Keys":[{"id":{"S":"a"}},null],"AttributesToGet":["x"]}}}`,
			`{"TransactItems":[{"Put":{"TableName":"table","Item":{"id":{"S":"a"}}}},{"ConditionCheck":null}],"ClientRequestToken":"t"}`,
			`{"TransactItems":[{"Get":{"TableName":"table","Key":{"id":{"S":"a"}}}}]}`,
			`{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/table","Tags":[{"Key":"k"}],"TagKeys":["k"]}`,
			`{"TableName":"table","TimeToLiveSpecification":{"AttributeName":"t","Enabled":true},"PointInTimeRecoverySpecification":{"PointInTimeRecoveryEnabled":true}}`,
			`{"TableName":"table","GlobalSecondaryIndexUpdates":[{"Create":{"IndexName":"new","KeySchema":[{"AttributeName":"x","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}}],"AttributeDefinitions":[{"AttributeName":"x","AttributeType":"N"}]}`,
		} {
			f.Add(uint8(i), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, op uint8, body []byte) {
		service := core.New(core.Config{StaysCreating: func(string) bool { return false }})
		_, err := service.CreateTable(core.TableConfig{
			Name: "table", Keys: core.Keys{Hash: core.Key{Name: "id", Type: "S"}}, Attributes: []core.Key{{Name: "id", Type: "S"}}, OnDemand: true,
			Global: []core.IndexConfig{{Name: "index", Projection: "KEYS_ONLY", Keys: core.Keys{Hash: core.Key{Name: "x", Type: "S"}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		h := NewHandler(service, NewFaults(), slog.New(slog.DiscardHandler))
		name := names[int(op)%len(names)]
		for range 2 { // the second call sees the effects of the first
			if w := serve(h, name, body); w.Code >= http.StatusInternalServerError || !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s %s: %d %s", name, body, w.Code, w.Body)
			}
		}
	})
}
