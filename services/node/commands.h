#ifndef VT_NODE_COMMANDS_H
#define VT_NODE_COMMANDS_H

/* Every subcommand: add a line here, a row in main.c, and a file cmd_<name>.c. */
int vt_cmd_serve(int argc, char **argv);
int vt_cmd_demo_data(int argc, char **argv);
int vt_cmd_import(int argc, char **argv);
int vt_cmd_recommend(int argc, char **argv);
int vt_cmd_rank(int argc, char **argv);
int vt_cmd_similar(int argc, char **argv);
int vt_cmd_explain(int argc, char **argv);
int vt_cmd_recommend_all(int argc, char **argv);
int vt_cmd_who_would_like(int argc, char **argv);
int vt_cmd_profile(int argc, char **argv);
int vt_cmd_event(int argc, char **argv);
int vt_cmd_link(int argc, char **argv);
int vt_cmd_export(int argc, char **argv);
int vt_cmd_erase(int argc, char **argv);

int vt_cmd_train(int argc, char **argv);
int vt_cmd_tune(int argc, char **argv);
int vt_cmd_models(int argc, char **argv);
int vt_cmd_evaluate(int argc, char **argv);
int vt_cmd_rules(int argc, char **argv);

int vt_cmd_backup(int argc, char **argv);
int vt_cmd_restore(int argc, char **argv);
int vt_cmd_verify(int argc, char **argv);
int vt_cmd_doctor(int argc, char **argv);
int vt_cmd_health(int argc, char **argv);

#endif
