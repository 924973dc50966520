{{/*
A container of `vitrine serve`: (dict "root" . "role" "ranking" "grpc" 7400 "http" 7401 "profile" ADDR
"candidate" ADDR). Its options are environment variables, so the probe that runs in the same container
speaks with the same certificates. The kubelet's own gRPC probe speaks no TLS, and our port nothing
else; once started, the process is asked over HTTP (docs/adr/0205).
*/}}
{{- define "vitrine.service" -}}
{{- $values := index .root.Values .role -}}
name: {{ .role }}
image: {{ include "vitrine.image" (list .root .root.Values.image) }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args:
  - serve
  - --role={{ .role }}
  {{- with .profile }}
  - --profile={{ . }}
  {{- end }}
  {{- with .candidate }}
  - --candidate={{ . }}
  {{- end }}
env:
  - {name: VITRINE_DATA, value: /data}
  - {name: VITRINE_LISTEN, value: "0.0.0.0:{{ .grpc }}"}
  - {name: VITRINE_HTTP, value: "0.0.0.0:{{ .http }}"}
  - {name: VITRINE_TLS_CERT, value: /etc/vitrine/certs/server.pem}
  - {name: VITRINE_TLS_KEY, value: /etc/vitrine/certs/server.key}
  - {name: VITRINE_TLS_CA, value: /etc/vitrine/certs/ca.pem}
  - {name: VITRINE_OTLP, value: {{ .root.Values.tracing.collector | quote }}}
  - {name: VITRINE_TRACE_SAMPLE, value: {{ .root.Values.tracing.sample | quote }}}
  # As many as the processors that the pod is given, not as the node has.
  - name: VITRINE_THREADS
    valueFrom: {resourceFieldRef: {resource: requests.cpu}}
  {{- if .root.Values.placements }}
  - {name: VITRINE_PLACEMENTS, value: /etc/vitrine/placements/placements.yaml}
  {{- end }}
  {{- range $option, $value := merge (dict) $values.options .root.Values.options }}
  - {name: VITRINE_{{ $option | upper | replace "-" "_" }}, value: {{ $value | toString | quote }}}
  {{- end }}
ports:
  - {name: {{ .role }}, containerPort: {{ .grpc }}}
  - {name: {{ .role }}-http, containerPort: {{ .http }}}
startupProbe: # a store that was killed is read again: ten minutes
  exec: {command: [/usr/bin/vitrine, health, --target, "127.0.0.1:{{ .grpc }}"]}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 300
readinessProbe: # port, item table and version
  httpGet: {path: /readyz, port: {{ .role }}-http}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe: # calls the process's own gRPC port
  httpGet: {path: /livez, port: {{ .role }}-http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
resources: {{- toYaml $values.resources | nindent 2 }}
{{ include "vitrine.confined" .root }}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: certificates, mountPath: /etc/vitrine/certs, readOnly: true}
  - {name: tmp, mountPath: /tmp}
  {{- if .root.Values.placements }}
  - {name: placements, mountPath: /etc/vitrine/placements, readOnly: true}
  {{- end }}
{{- end -}}

{{/* The volumes of such containers, besides the data. */}}
{{- define "vitrine.serviceVolumes" -}}
- name: certificates
  secret: {secretName: {{ include "vitrine.certificates" . }}, defaultMode: 0440}
- {name: tmp, emptyDir: {sizeLimit: 256Mi}}
{{- if .Values.placements }}
- name: placements
  configMap: {name: {{ include "vitrine.name" . }}-placements}
{{- end }}
{{- end -}}
