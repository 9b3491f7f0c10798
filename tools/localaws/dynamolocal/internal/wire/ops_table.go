package wire

import (
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
)

const (
	provisioned = "PROVISIONED"
	onDemand    = "PAY_PER_REQUEST"
)

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)

// checkName checks a name to create. Elsewhere an invalid name is simply not found.
func checkName(what, name string) error {
	if !namePattern.MatchString(name) {
		return invalid(what + " must be at least 3 characters long and at most 255 characters long, and of the characters a-z, A-Z, 0-9, '_', '-' and '.'")
	}
	return nil
}

// unsupported returns an error if a request uses a feature that dynamolocal does not
// have.
func unsupported(wants map[string]bool) error {
	for _, member := range slices.Sorted(maps.Keys(wants)) {
		if wants[member] {
			return invalid("dynamolocal does not have " + member)
		}
	}
	return nil
}

func createTable(c *call, in *createTableInput) (*createTableOutput, error) {
	var broken constraints
	broken.required("tableName", in.TableName != nil)
	broken.required("attributeDefinitions", in.AttributeDefinitions != nil)
	broken.required("keySchema", in.KeySchema != nil)
	broken.oneOf("billingMode", in.BillingMode, provisioned, onDemand)
	broken.oneOf("tableClass", in.TableClass, "STANDARD", "STANDARD_INFREQUENT_ACCESS")
	if err := broken.err(); err != nil {
		return nil, err
	}
	if err := unsupported(map[string]bool{
		"StreamSpecification":  in.StreamSpecification != nil && valueOr(in.StreamSpecification.StreamEnabled, false),
		"VectorIndexes":        in.VectorIndexes != nil,
		"ResourcePolicy":       in.ResourcePolicy != nil,
		"GlobalTableSourceArn": in.GlobalTableSourceArn != nil,
	}); err != nil {
		return nil, err
	}
	name := core.TableOf(*in.TableName)
	if err := checkName("TableName", name); err != nil {
		return nil, err
	}
	attributes, err := attributes(in.AttributeDefinitions)
	if err != nil {
		return nil, err
	}
	t := core.TableConfig{
		Name: name, Region: c.region, Attributes: attributes, OnDemand: valueOr(in.BillingMode, provisioned) == onDemand,
		Protected: valueOr(in.DeletionProtectionEnabled, false), Class: valueOr(in.TableClass, ""), Tags: tags(in.Tags),
	}
	s := schema{attributes: attributes, used: make(map[string]bool), names: make(map[string]bool)}
	if t.Keys, err = s.keys(in.KeySchema); err != nil {
		return nil, err
	}
	if t.Throughput, err = throughput(in.ProvisionedThroughput, t.OnDemand); err != nil {
		return nil, err
	}
	for _, x := range in.GlobalSecondaryIndexes {
		index, err := s.index(x.IndexName, x.KeySchema, x.Projection)
		if err != nil {
			return nil, err
		}
		if index.Throughput, err = throughput(x.ProvisionedThroughput, t.OnDemand); err != nil {
			return nil, err
		}
		t.Global = append(t.Global, index)
	}
	for _, x := range in.LocalSecondaryIndexes {
		index, err := s.index(x.IndexName, x.KeySchema, x.Projection)
		if err != nil {
			return nil, err
		}
		if index.Keys.Hash != t.Keys.Hash || index.Keys.Range.Name == "" || t.Keys.Range.Name == "" {
			return nil, invalid("One or more parameter values were invalid: Index KeySchema does not have the same leading hash key as table KeySchema, and a range key, for index: " + index.Name)
		}
		t.Local = append(t.Local, index)
	}
	if in.GlobalSecondaryIndexes != nil && len(t.Global) == 0 || in.LocalSecondaryIndexes != nil && len(t.Local) == 0 {
		return nil, invalid("One or more parameter values were invalid: List of secondary indexes is empty")
	}
	if len(t.Global) > 20 || len(t.Local) > 5 {
		return nil, invalid("One or more parameter values were invalid: a table has at most 20 global and 5 local secondary indexes")
	}
	if err := s.allUsed(); err != nil {
		return nil, err
	}
	made, err := c.service.CreateTable(t)
	if err != nil {
		return nil, err
	}
	return &createTableOutput{TableDescription: describe(made)}, nil
}

func attributes(definitions []attributeDefinition) (keys []core.Key, err error) {
	for _, d := range definitions {
		var broken constraints
		broken.required("attributeDefinitions.member.attributeName", d.AttributeName != nil)
		broken.required("attributeDefinitions.member.attributeType", d.AttributeType != nil)
		broken.oneOf("attributeDefinitions.member.attributeType", d.AttributeType, "B", "N", "S")
		if err := broken.err(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(keys, func(k core.Key) bool { return k.Name == *d.AttributeName }) {
			return nil, invalid("One or more parameter values were invalid: Duplicate AttributeName in AttributeDefinitions: " + httpserver.Truncate(*d.AttributeName))
		}
		keys = append(keys, core.Key{Name: *d.AttributeName, Type: *d.AttributeType})
	}
	return keys, nil
}

// schema looks up the attributes of keys, and checks that each attribute is used.
type schema struct {
	attributes []core.Key
	used       map[string]bool
	names      map[string]bool // of the indexes
}

func (s *schema) keys(elements []keySchemaElement) (keys core.Keys, err error) {
	wrong := invalid("One or more parameter values were invalid: Invalid KeySchema: it has a HASH key, and after it at most one RANGE key")
	if len(elements) < 1 || len(elements) > 2 {
		return keys, wrong
	}
	for i, e := range elements {
		if valueOr(e.KeyType, "") != []string{"HASH", "RANGE"}[i] {
			return keys, wrong
		}
		name := valueOr(e.AttributeName, "")
		at := slices.IndexFunc(s.attributes, func(k core.Key) bool { return k.Name == name })
		if at < 0 {
			return keys, invalid("One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [" + httpserver.Truncate(name) + "]")
		}
		s.used[name] = true
		if i == 0 {
			keys.Hash = s.attributes[at]
		} else {
			keys.Range = s.attributes[at]
		}
	}
	if keys.Hash == keys.Range {
		return keys, invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	}
	return keys, nil
}

func (s *schema) index(name *string, elements []keySchemaElement, p *projection) (x core.IndexConfig, err error) {
	if err := checkName("IndexName", valueOr(name, "")); err != nil {
		return x, err
	}
	x.Name = *name
	if s.names[x.Name] {
		return x, invalid("One or more parameter values were invalid: Duplicate index name: " + x.Name)
	}
	s.names[x.Name] = true
	if x.Keys, err = s.keys(elements); err != nil {
		return x, err
	}
	if p == nil || p.ProjectionType == nil {
		return x, invalid("One or more parameter values were invalid: Unknown ProjectionType: null")
	}
	x.Projection, x.Include = *p.ProjectionType, p.NonKeyAttributes
	switch {
	case !slices.Contains([]string{"ALL", "INCLUDE", "KEYS_ONLY"}, x.Projection):
		return x, invalid("One or more parameter values were invalid: Unknown ProjectionType: " + httpserver.Truncate(x.Projection))
	case x.Projection != "INCLUDE" && x.Include != nil:
		return x, invalid("One or more parameter values were invalid: ProjectionType is " + x.Projection + ", but NonKeyAttributes is specified")
	case x.Projection == "INCLUDE" && len(x.Include) == 0:
		return x, invalid("One or more parameter values were invalid: ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	}
	return x, nil
}

// allUsed returns an error unless each attribute is used.
func (s *schema) allUsed() error {
	for _, k := range s.attributes {
		if !s.used[k.Name] {
			return invalid("One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
		}
	}
	return nil
}

func throughput(p *provisionedThroughput, onDemand bool) (t core.Throughput, err error) {
	switch {
	case p == nil && onDemand:
		return t, nil
	case p == nil:
		return t, invalid("One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	case onDemand:
		return t, invalid("One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	}
	t = core.Throughput{Read: valueOr(p.ReadCapacityUnits, 0), Write: valueOr(p.WriteCapacityUnits, 0)}
	if t.Read < 1 || t.Write < 1 {
		return t, invalid("1 validation error detected: Value at 'provisionedThroughput' failed to satisfy constraint: Member must have value greater than or equal to 1")
	}
	return t, nil
}

func tags(list []tag) map[string]string {
	if list == nil {
		return nil
	}
	m := make(map[string]string)
	for _, t := range list {
		m[valueOr(t.Key, "")] = valueOr(t.Value, "")
	}
	return m
}

func describe(t *core.TableStatus) *tableDescription {
	d := &tableDescription{
		TableName: &t.Name, TableArn: &t.ARN, TableId: &t.ID, TableStatus: ptr(string(t.Status)),
		CreationDateTime: &timestamp{t.Created}, ItemCount: ptr(int64(t.Items)), TableSizeBytes: ptr(int64(t.Bytes)),
		KeySchema: keySchema(t.Keys), DeletionProtectionEnabled: &t.Protected,
		ProvisionedThroughput: describeThroughput(t.Throughput),
	}
	for _, k := range t.Attributes {
		d.AttributeDefinitions = append(d.AttributeDefinitions, attributeDefinition{AttributeName: &k.Name, AttributeType: &k.Type})
	}
	if t.OnDemand {
		d.BillingModeSummary = &billingModeSummary{BillingMode: ptr(onDemand), LastUpdateToPayPerRequestDateTime: &timestamp{t.Created}}
	}
	if t.Class != "" {
		d.TableClassSummary = &tableClassSummary{TableClass: &t.Class}
	}
	for _, x := range t.Indexes {
		p := &projection{ProjectionType: &x.Projection, NonKeyAttributes: x.Include}
		if !x.Global {
			d.LocalSecondaryIndexes = append(d.LocalSecondaryIndexes, localSecondaryIndexDescription{
				IndexName: &x.Name, IndexArn: &x.ARN, KeySchema: keySchema(x.Keys), Projection: p,
				ItemCount: ptr(int64(x.Items)), IndexSizeBytes: ptr(int64(x.Bytes)),
			})
			continue
		}
		g := globalSecondaryIndexDescription{
			IndexName: &x.Name, IndexArn: &x.ARN, IndexStatus: ptr(string(x.Status)), KeySchema: keySchema(x.Keys), Projection: p,
			ItemCount: ptr(int64(x.Items)), IndexSizeBytes: ptr(int64(x.Bytes)), ProvisionedThroughput: describeThroughput(x.Throughput),
		}
		if x.Status == core.Creating && t.Status != core.Creating {
			g.Backfilling = ptr(true)
		}
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, g)
	}
	return d
}

func describeThroughput(t core.Throughput) *provisionedThroughputDescription {
	return &provisionedThroughputDescription{ReadCapacityUnits: &t.Read, WriteCapacityUnits: &t.Write, NumberOfDecreasesToday: ptr(int64(0))}
}

func keySchema(k core.Keys) []keySchemaElement {
	schema := []keySchemaElement{{AttributeName: &k.Hash.Name, KeyType: ptr("HASH")}}
	if k.Range.Name != "" {
		schema = append(schema, keySchemaElement{AttributeName: &k.Range.Name, KeyType: ptr("RANGE")})
	}
	return schema
}

func describeTable(c *call, in *describeTableInput) (*describeTableOutput, error) {
	var broken constraints
	broken.table(in.TableName)
	if err := broken.err(); err != nil {
		return nil, err
	}
	t, err := c.service.DescribeTable(core.TableOf(*in.TableName))
	if err != nil {
		return nil, err
	}
	return &describeTableOutput{Table: describe(t)}, nil
}

func deleteTable(c *call, in *deleteTableInput) (*deleteTableOutput, error) {
	var broken constraints
	broken.table(in.TableName)
	if err := broken.err(); err != nil {
		return nil, err
	}
	t, err := c.service.DeleteTable(core.TableOf(*in.TableName))
	if err != nil {
		return nil, err
	}
	return &deleteTableOutput{TableDescription: describe(t)}, nil
}

func listTables(c *call, in *listTablesInput) (*listTablesOutput, error) {
	limit := int(valueOr(in.Limit, 100))
	if limit < 1 || limit > 100 {
		return nil, invalid("1 validation error detected: Value '" + itoa(limit) + "' at 'limit' failed to satisfy constraint: Member must have value between 1 and 100")
	}
	if from := in.ExclusiveStartTableName; from != nil && (len(*from) < 3 || len(*from) > 255) {
		return nil, invalid("1 validation error detected: Value '" + httpserver.Truncate(*from) + "' at 'exclusiveStartTableName' failed to satisfy constraint: Member must have length between 3 and 255")
	}
	names, more := c.service.Tables(valueOr(in.ExclusiveStartTableName, ""), limit)
	out := &listTablesOutput{TableNames: append([]string{}, names...)}
	if more {
		out.LastEvaluatedTableName = &names[len(names)-1]
	}
	return out, nil
}

func updateTable(c *call, in *updateTableInput) (*updateTableOutput, error) {
	var broken constraints
	broken.table(in.TableName)
	broken.oneOf("billingMode", in.BillingMode, provisioned, onDemand)
	broken.oneOf("tableClass", in.TableClass, "STANDARD", "STANDARD_INFREQUENT_ACCESS")
	if err := broken.err(); err != nil {
		return nil, err
	}
	if err := unsupported(map[string]bool{
		"ReplicaUpdates":           in.ReplicaUpdates != nil,
		"StreamSpecification":      in.StreamSpecification != nil && valueOr(in.StreamSpecification.StreamEnabled, false),
		"VectorIndexUpdates":       in.VectorIndexUpdates != nil,
		"GlobalTableWitnessUpdate": in.GlobalTableWitnessUpdates != nil,
	}); err != nil {
		return nil, err
	}
	name := core.TableOf(*in.TableName)
	now, err := c.service.DescribeTable(name)
	if err != nil {
		return nil, err
	}
	change := core.TableChange{Protected: in.DeletionProtectionEnabled, Class: in.TableClass, Indexes: make(map[string]core.Throughput)}
	isOnDemand := now.OnDemand
	if in.BillingMode != nil {
		isOnDemand = *in.BillingMode == onDemand
		change.OnDemand = &isOnDemand
	}
	if in.ProvisionedThroughput != nil || isOnDemand != now.OnDemand && !isOnDemand {
		t, err := throughput(in.ProvisionedThroughput, isOnDemand)
		if err != nil {
			return nil, err
		}
		if in.BillingMode == nil && t == now.Throughput {
			return nil, invalid("The provisioned throughput for the table will not change. The requested value equals the current value.")
		}
		change.Throughput = &t
	}
	if change.Attributes, err = attributes(in.AttributeDefinitions); err != nil {
		return nil, err
	}
	if len(in.GlobalSecondaryIndexUpdates) > 0 {
		if err := indexChanges(in.GlobalSecondaryIndexUpdates, now, isOnDemand, &change); err != nil {
			return nil, err
		}
	}
	if in.BillingMode == nil && in.ProvisionedThroughput == nil && in.DeletionProtectionEnabled == nil && in.TableClass == nil &&
		len(in.GlobalSecondaryIndexUpdates) == 0 && in.SSESpecification == nil && in.OnDemandThroughput == nil && in.WarmThroughput == nil && in.StreamSpecification == nil {
		return nil, invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	}
	t, err := c.service.UpdateTable(name, change)
	if err != nil {
		return nil, err
	}
	return &updateTableOutput{TableDescription: describe(t)}, nil
}

func indexChanges(updates []globalSecondaryIndexUpdate, now *core.TableStatus, onDemand bool, change *core.TableChange) error {
	all := slices.Clone(now.Attributes)
	for _, k := range change.Attributes {
		all = slices.DeleteFunc(all, func(old core.Key) bool { return old.Name == k.Name })
		all = append(all, k)
	}
	s := schema{attributes: all, used: make(map[string]bool), names: make(map[string]bool)}
	made := 0
	for _, u := range updates {
		switch {
		case u.Create != nil:
			made++
			x, err := s.index(u.Create.IndexName, u.Create.KeySchema, u.Create.Projection)
			if err != nil {
				return err
			}
			if x.Throughput, err = throughput(u.Create.ProvisionedThroughput, onDemand); err != nil {
				return err
			}
			change.Create = &x
		case u.Delete != nil:
			made++
			change.Delete = valueOr(u.Delete.IndexName, "")
		case u.Update != nil:
			t, err := throughput(u.Update.ProvisionedThroughput, onDemand)
			if err != nil {
				return err
			}
			change.Indexes[valueOr(u.Update.IndexName, "")] = t
		default:
			return invalid("One or more parameter values were invalid: One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null")
		}
	}
	if made > 1 {
		return &core.Error{Code: core.LimitExceeded, Message: "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"}
	}
	return nil
}

func listTagsOfResource(c *call, in *listTagsOfResourceInput) (*listTagsOfResourceOutput, error) {
	var broken constraints
	broken.required("resourceArn", in.ResourceArn != nil)
	if err := broken.err(); err != nil {
		return nil, err
	}
	all, err := c.service.Tags(core.TableOf(*in.ResourceArn))
	if err != nil {
		return nil, err
	}
	out := &listTagsOfResourceOutput{Tags: []tag{}}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out.Tags = append(out.Tags, tag{Key: &key, Value: ptr(all[key])})
	}
	return out, nil
}

func tagResource(c *call, in *tagResourceInput) (*empty, error) {
	var broken constraints
	broken.required("resourceArn", in.ResourceArn != nil)
	broken.required("tags", in.Tags != nil)
	if err := broken.err(); err != nil {
		return nil, err
	}
	return &empty{}, c.service.SetTags(core.TableOf(*in.ResourceArn), tags(in.Tags), nil)
}

func untagResource(c *call, in *untagResourceInput) (*empty, error) {
	var broken constraints
	broken.required("resourceArn", in.ResourceArn != nil)
	broken.required("tagKeys", in.TagKeys != nil)
	if err := broken.err(); err != nil {
		return nil, err
	}
	return &empty{}, c.service.SetTags(core.TableOf(*in.ResourceArn), nil, in.TagKeys)
}

func describeTimeToLive(c *call, in *describeTimeToLiveInput) (*describeTimeToLiveOutput, error) {
	var broken constraints
	broken.table(in.TableName)
	if err := broken.err(); err != nil {
		return nil, err
	}
	attribute, err := c.service.TimeToLive(core.TableOf(*in.TableName))
	if err != nil {
		return nil, err
	}
	d := &timeToLiveDescription{TimeToLiveStatus: ptr("DISABLED")}
	if attribute != "" {
		d = &timeToLiveDescription{TimeToLiveStatus: ptr("ENABLED"), AttributeName: &attribute}
	}
	return &describeTimeToLiveOutput{TimeToLiveDescription: d}, nil
}

func updateTimeToLive(c *call, in *updateTimeToLiveInput) (*updateTimeToLiveOutput, error) {
	var broken constraints
	broken.table(in.TableName)
	broken.required("timeToLiveSpecification", in.TimeToLiveSpecification != nil)
	if spec := in.TimeToLiveSpecification; spec != nil {
		broken.required("timeToLiveSpecification.attributeName", spec.AttributeName != nil)
		broken.required("timeToLiveSpecification.enabled", spec.Enabled != nil)
	}
	if err := broken.err(); err != nil {
		return nil, err
	}
	spec := in.TimeToLiveSpecification
	if *spec.AttributeName == "" {
		return nil, invalid("1 validation error detected: Value '' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	if err := c.service.SetTimeToLive(core.TableOf(*in.TableName), *spec.AttributeName, *spec.Enabled); err != nil {
		return nil, err
	}
	return &updateTimeToLiveOutput{TimeToLiveSpecification: spec}, nil
}

func describeContinuousBackups(c *call, in *describeContinuousBackupsInput) (*describeContinuousBackupsOutput, error) {
	var broken constraints
	broken.table(in.TableName)
	if err := broken.err(); err != nil {
		return nil, err
	}
	on, since, err := c.service.Recovery(core.TableOf(*in.TableName))
	if err != nil {
		return nil, err
	}
	return &describeContinuousBackupsOutput{ContinuousBackupsDescription: backups(on, since, 35)}, nil
}

func updateContinuousBackups(c *call, in *updateContinuousBackupsInput) (*updateContinuousBackupsOutput, error) {
	var broken constraints
	broken.table(in.TableName)
	spec := in.PointInTimeRecoverySpecification
	broken.required("pointInTimeRecoverySpecification", spec != nil)
	if spec != nil {
		broken.required("pointInTimeRecoverySpecification.pointInTimeRecoveryEnabled", spec.PointInTimeRecoveryEnabled != nil)
	}
	if err := broken.err(); err != nil {
		return nil, err
	}
	on := *spec.PointInTimeRecoveryEnabled
	since, err := c.service.SetRecovery(core.TableOf(*in.TableName), on)
	if err != nil {
		return nil, err
	}
	return &updateContinuousBackupsOutput{ContinuousBackupsDescription: backups(on, since, valueOr(spec.RecoveryPeriodInDays, 35))}, nil
}

func backups(on bool, since time.Time, days int32) *continuousBackupsDescription {
	p := &pointInTimeRecoveryDescription{PointInTimeRecoveryStatus: ptr("DISABLED")}
	if on {
		p = &pointInTimeRecoveryDescription{
			PointInTimeRecoveryStatus: ptr("ENABLED"), RecoveryPeriodInDays: &days,
			EarliestRestorableDateTime: &timestamp{since}, LatestRestorableDateTime: &timestamp{time.Now()},
		}
	}
	return &continuousBackupsDescription{ContinuousBackupsStatus: ptr("ENABLED"), PointInTimeRecoveryDescription: p}
}
