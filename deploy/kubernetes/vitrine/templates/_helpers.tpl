{{/* Names of what belongs to a release, and what its pods have in common. */}}

{{- define "vitrine.name" -}}
{{- if gt (len .Release.Name) 40 -}}
{{- fail "the release's name may have at most 40 characters: names of its parts are longer" -}}
{{- end -}}
{{- .Release.Name -}}
{{- end -}}

{{/* (list ROOT COMPONENT) */}}
{{- define "vitrine.selector" -}}
app.kubernetes.io/name: vitrine
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "vitrine.labels" -}}
{{ include "vitrine.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end -}}

{{/* (list ROOT IMAGE-VALUES) */}}
{{- define "vitrine.image" -}}
{{ (index . 1).repository }}:{{ (index . 1).tag | default (index . 0).Chart.AppVersion }}
{{- end -}}

{{- define "vitrine.claim" -}}
data-{{ include "vitrine.name" . }}-cell-0
{{- end -}}

{{- define "vitrine.certificates" -}}
{{ .Values.certificates | default (printf "%s-certs" (include "vitrine.name" .)) }}
{{- end -}}

{{/* What every pod is: nobody in particular, with a file system that is read, and no token. */}}
{{- define "vitrine.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "vitrine.confined" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Pods that use the volume of the cell from beside it. */}}
{{- define "vitrine.besideTheCell" -}}
podAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels: {{- include "vitrine.selector" (list . "cell") | nindent 10 }}
{{- end -}}
