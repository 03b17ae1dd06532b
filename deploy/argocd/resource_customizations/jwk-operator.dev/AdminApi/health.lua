-- The health of an AdminApi, from the conditions that kstatus reads as well. It needs no library of Lua.
local generation = obj.metadata.generation
local status = obj.status
if status == nil or status.observedGeneration ~= generation then
  return { status = "Progressing", message = "Waiting for the operator to look at the resource" }
end

-- A condition that speaks of an earlier generation says nothing of this one.
local conditions = {}
for i = 1, #(status.conditions or {}) do
  local condition = status.conditions[i]
  if condition.observedGeneration == generation then
    conditions[condition.type] = condition
  end
end

-- The first that holds decides. The server is asked again and again while Reconciling is true; while Stalled is, somebody must fix
-- something.
local rules = {
  { type = "Stalled", holds = "True", health = "Degraded" },
  { type = "Reconciling", holds = "True", health = "Progressing" },
  { type = "Ready", holds = "True", health = "Healthy" },
  { type = "Ready", holds = "False", health = "Progressing" },
}
for i = 1, #rules do
  local condition = conditions[rules[i].type]
  if condition ~= nil and condition.status == rules[i].holds then
    return { status = rules[i].health, message = condition.message }
  end
end
return { status = "Progressing", message = "Waiting for the operator to look at the resource" }
